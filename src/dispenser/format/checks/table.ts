/** All checks that a format may name. A new one is a line here. */

import type { Check } from "./check.ts";
import { damm } from "./damm.ts";
import { gs1 } from "./gs1.ts";
import { luhn } from "./luhn.ts";
import { mod37 } from "./mod37.ts";
import { mod97 } from "./mod97.ts";
import { rf } from "./rf.ts";
import { verhoeff } from "./verhoeff.ts";

/** Each of another name. */
export const checks: readonly Check[] = [luhn, damm, verhoeff, gs1, mod97, mod37, rf];
