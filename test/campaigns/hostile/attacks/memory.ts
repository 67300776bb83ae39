import type { Attack } from "../attack.ts";
export const memory: readonly Attack[] = [];
