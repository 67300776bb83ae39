import type { Attack } from "../attack.ts";
export const crowds: readonly Attack[] = [];
