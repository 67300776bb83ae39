/** What the program's commands are told of a server that they ask. */

import type { ServerSettings } from "../../src/cli/connection.ts";

/** The settings of a server on a port of this machine; `more` replaces some of them. */
export const serverAt = (port: number, more: Partial<ServerSettings> = {}): ServerSettings => ({
  addr: [{ host: "127.0.0.1", port }],
  ...{ tlsAddr: [], tlsCert: "", tlsClientCa: "", dataDir: "/nowhere" },
  ...more,
});
