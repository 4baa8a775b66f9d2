-- Whom to tell again and when, what came of every attempt, and what was published for emergency services.

-- A delivery of round 0 tells the event; further rounds tell it again while nobody has taken the alert.
ALTER TABLE delivery DROP CONSTRAINT delivery_pkey;
ALTER TABLE delivery
    ADD COLUMN round      integer NOT NULL DEFAULT 0 CHECK (round >= 0),
    ADD COLUMN reason     text NOT NULL DEFAULT 'routed' CHECK (reason IN ('routed', 'escalated', 'repeated')),
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- held back until then by quiet hours or for a digest
    ADD COLUMN held_until timestamptz,
    -- given up because nobody needed it any more
    ADD COLUMN needless   boolean NOT NULL DEFAULT false,
    -- the digest that tells it: chosen once, so that a second sending carries the same id
    ADD COLUMN digest_id  uuid,
    -- what the other side answered: the number of a service request, say
    ADD COLUMN receipt    text,
    ADD PRIMARY KEY (event_id, channel, round);
CREATE INDEX delivery_newest ON delivery (created_at DESC, event_id, channel, round);

-- Every attempt that failed; one that did not is the delivery's sent_at.
CREATE TABLE delivery_attempt (
    event_id uuid NOT NULL,
    channel  text NOT NULL,
    round    integer NOT NULL,
    attempt  integer NOT NULL,
    at       timestamptz NOT NULL,
    problem  text NOT NULL,
    PRIMARY KEY (event_id, channel, round, attempt),
    FOREIGN KEY (event_id, channel, round) REFERENCES delivery ON DELETE CASCADE
);

-- CAP messages as they were published; a chain is the group of alerts that one event is.
CREATE TABLE cap_message (
    position   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    identifier text NOT NULL UNIQUE,
    feed       text NOT NULL,
    chain      uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('Alert', 'Update', 'Cancel')),
    sender     text NOT NULL,
    sent       timestamptz NOT NULL,
    expires    timestamptz NOT NULL,
    headline   text NOT NULL,
    document   text NOT NULL
);
CREATE INDEX cap_message_chain ON cap_message (feed, chain, position);
CREATE INDEX cap_message_in_force ON cap_message (feed, expires);
