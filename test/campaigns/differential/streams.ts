/** All hand-written streams: those for servers without a password, and those for servers with one. */

import { clientStreams } from "./streams/client.ts";
import { commandStreams } from "./streams/commands.ts";
import { connectionStreams } from "./streams/connection.ts";
import { framingStreams } from "./streams/framing.ts";
import { inlineStreams } from "./streams/inline.ts";
import { transactionStreams } from "./streams/transactions.ts";

export { passwordStreams } from "./streams/password.ts";

export const openStreams = [
  ...framingStreams,
  ...inlineStreams,
  ...connectionStreams,
  ...transactionStreams,
  ...clientStreams,
  ...commandStreams,
];
