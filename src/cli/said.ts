/** The output of a command. */
export interface Said {
  /** The text for the standard output, without its last line end; empty if there is none. */
  readonly text: string;
  /** Whether the command found everything in order; if not, the exit status is 1. */
  readonly isWell: boolean;
}
