// The service's time, by the Date of its answers: a reader's clock may be wrong, and no time on the page shall be.

const EXPLAINED_MS = 5000; // an answer's whole seconds and its way explain as much

let ahead = 0;

// date: an answer's; asked: when it was asked for, by the reader's clock.
export function heard(date, asked) {
  const here = Date.now();
  const differs = Date.parse(date) - here;
  if (Number.isFinite(differs) && here - asked < EXPLAINED_MS) ahead = Math.abs(differs) > EXPLAINED_MS ? differs : 0;
}

export const now = () => Date.now() + ahead;
