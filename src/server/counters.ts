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

/** What was done with one command. */
export interface CallStats {
  calls: number;
  /** The time that its calls took on this thread; of GETs on the fast path, estimated from samples. */
  microseconds: number;
  /** Requests that were refused before they ran. */
  rejected: number;
  /** Calls that answered an error. */
  failed: number;
}

/** Calls by command, and errors by their code, since the start or CONFIG RESETSTAT. */
export class CommandStats {
  readonly byCommand = new Map<string, CallStats>();
  /** By the first word of the error: there are as many as the code has. */
  readonly errors = new Map<string, number>();

  /** The figures of a command, in the form "client|id" for a subcommand. */
  of(command: string): CallStats {
    let stats = this.byCommand.get(command);
    if (stats === undefined) {
      stats = { calls: 0, microseconds: 0, rejected: 0, failed: 0 };
      this.byCommand.set(command, stats);
    }
    return stats;
  }

  countError(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** Sets all figures back to 0; who holds the stats of a command may go on with them. */
  reset(): void {
    for (const stats of this.byCommand.values()) {
      Object.assign(stats, { calls: 0, microseconds: 0, rejected: 0, failed: 0 });
    }
    this.errors.clear();
  }
}
