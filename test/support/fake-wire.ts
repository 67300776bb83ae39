/** A socket that takes as much as it is told to, and keeps what it took. */
export class FakeWire {
  sent = "";
  room = Number.POSITIVE_INFINITY;
  isPaused = false;
  isEnded = false;
  isShut = false;
  isTerminated = false;

  write(bytes: Uint8Array, from: number, count: number): number {
    const accepted = Math.min(count, this.room);
    this.room -= accepted;
    this.sent += Buffer.from(bytes.subarray(from, from + accepted)).toString("latin1");
    return accepted;
  }

  end(): void {
    this.isEnded = true;
  }

  shutdown(): void {
    this.isShut = true;
  }

  terminate(): void {
    this.isTerminated = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}
