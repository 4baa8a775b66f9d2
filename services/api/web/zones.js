// The list of zones.

import { Places } from "./places.js";

export default class Zones extends Places {
  constructor(context) { super("zones", context); }
}
