// The list of corridors.

import { Places } from "./places.js";

export default class Corridors extends Places {
  constructor(context) { super("corridors", context); }
}
