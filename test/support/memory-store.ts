/** The real store on a simulated disk, with commits that a test can make fail. */

import { SqliteStore } from "../../src/storage/sqlite.ts";
import { SimulatedDisk, sqliteError } from "./simulated-disk.ts";

type Failure = "unavailable" | "broken";

const codes: Record<Failure, string> = {
  unavailable: "SQLITE_FULL",
  broken: "SQLITE_IOERR_FSYNC",
};

export class MemoryStore extends SqliteStore {
  commits = 0;
  /** The failures of the next commits, one each; undefined for success. Later ones succeed. */
  failures: (Failure | undefined)[] = [];
  /** The failure of every commit while it is set. */
  lasting: Failure | undefined;
  private readonly disk: SimulatedDisk;

  constructor(disk = new SimulatedDisk()) {
    super(disk.open());
    this.disk = disk;
    disk.interfere = (sql, moment) => {
      if (sql !== "COMMIT") return;
      if (moment === "after") {
        this.commits++;
        return;
      }
      const failure = this.failures.shift() ?? this.lasting;
      if (failure !== undefined) throw sqliteError(codes[failure]);
    };
  }

  /** Opens the store as the next life finds it, after a crash or a clean close of this one. */
  reopen(): MemoryStore {
    return new MemoryStore(this.disk.copy());
  }
}
