import type { Attack } from "../attack.ts";
export const ends: readonly Attack[] = [];
