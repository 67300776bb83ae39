/** What replies have to be. */

import { type Reply, ReplyError } from "../../../testkit/resp.ts";
import { Broken } from "./broken.ts";

export const NOT_FOUND = "ERR dispenser not found";
export const EXHAUSTED = "ERR number range exhausted";

/** The check of a reply that has to be an error which begins with one of these. */
export function expects(...errors: string[]): (reply: Reply) => void {
  return (reply) => {
    const isOne = errors.some((error) => (reply as ReplyError).message?.startsWith(error));
    if (!(reply instanceof ReplyError && isOne))
      throw new Broken(`expected ${errors.join(" or ")}, not ${String(reply)}`);
  };
}

export function isNumber(reply: Reply): void {
  if (typeof reply !== "number") throw new Broken(`expected a number, not ${String(reply)}`);
}
