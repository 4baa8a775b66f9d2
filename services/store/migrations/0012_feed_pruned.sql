-- How far the feed has been pruned: who resumes before that has missed something, and is told so.
CREATE TABLE feed_pruned (
    epoch bigint PRIMARY KEY,
    xid   xid8 NOT NULL,
    id    bigint NOT NULL
);
