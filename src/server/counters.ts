/** What the server counts, for INFO and metrics. */

/** The server's counters since its start or CONFIG RESETSTAT. */
export interface Counters {
  connections: number;
  refusedConnections: number;
  commands: number;
  commits: number;
  heldReplies: number;
  bytesIn: number;
  bytesOut: number;
  /** Connections that now wait for work that takes longer than a turn. */
  blocked: number;
}

/** The counters of a server that just started. */
export const noCounts = (): Counters => ({
  connections: 0,
  refusedConnections: 0,
  commands: 0,
  commits: 0,
  heldReplies: 0,
  bytesIn: 0,
  bytesOut: 0,
  blocked: 0,
});
