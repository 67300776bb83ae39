/** The ways in which a server on this machine cannot be asked. */

import { CannotStart } from "../base/errors.ts";

/** What is the matter, as `health -json` says it. */
const troubles = [
  /** Nothing listens there. */
  "down",
  /** This user may not connect. */
  "not_permitted",
  /** The time limit passed without an answer. */
  "silent",
  "password_wanted",
  "password_refused",
  /** What listens is not the server, or cannot prove that it is. */
  "not_ours",
  /** The server uses the certificate that it had before tls.cert was renewed. */
  "certificate_renewed",
  /** The server has as many clients as it may have. */
  "full",
  /** It refuses for a reason of its own. */
  "refused",
] as const;
export type Trouble = (typeof troubles)[number];

/**
 * What `health -json` has as status. The server answers, but unwell: its storage is in trouble;
 * not_ready: it should get no clients (READY).
 */
export const statuses = ["ok", "unwell", "not_ready", ...troubles] as const;

/** A server that cannot be asked; the message says why and what to do. */
export class Unreachable extends CannotStart {
  readonly trouble: Trouble;

  constructor(trouble: Trouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}
