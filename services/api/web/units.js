// Shows canonical units (litres, km/h, kPa) in those that the reader chose. Nothing converted here is ever sent back.

import { preferences } from "./preferences.js";

const LITRES_A_GALLON = 3.785411784; // exactly, by the definition of 231 cubic inches
const KM_A_MILE = 1.609344; // exactly
const KPA_A_PSI = 6.894757293168;

const water = { m3: ["m3", 1e-3], gallons: ["gal", 1 / LITRES_A_GALLON] };
const flow = { m3: ["m3/h", 1e-3], gallons: ["gal/h", 1 / LITRES_A_GALLON] };
const speed = { mph: ["mph", 1 / KM_A_MILE] };
const length = { mph: ["mi", 1 / KM_A_MILE] };
const pressure = { bar: ["bar", 1e-2], psi: ["psi", 1 / KPA_A_PSI] };
const SHOWN = {
  "L": water[preferences.water], "L/h": flow[preferences.water], "km/h": speed[preferences.speed],
  "km": length[preferences.speed], "kPa": pressure[preferences.pressure],
};

export const unitShown = (unit) => SHOWN[unit]?.[0] ?? unit;
export const factor = (unit) => SHOWN[unit]?.[1] ?? 1;
export const shown = (value, unit) => ({ value: value === null || value === undefined ? value : value * factor(unit), unit: unitShown(unit) });
