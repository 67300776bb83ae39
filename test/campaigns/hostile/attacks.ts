/** All attacks, by what they try to use up. */

import type { Attack } from "./attack.ts";
import { crowds } from "./attacks/crowds.ts";
import { ends } from "./attacks/ends.ts";
import { memory } from "./attacks/memory.ts";
import { stalls } from "./attacks/stalls.ts";

export const attacks: readonly Attack[] = [...memory, ...stalls, ...crowds, ...ends];
