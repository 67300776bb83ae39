/** A list from which what was added first is taken first; a million of it cost nothing but their places. */
export class Queue<T> {
  private items: T[] = [];
  /** Those before were taken. */
  private first = 0;

  get size(): number {
    return this.items.length - this.first;
  }

  add(item: T): void {
    this.items.push(item);
  }

  /** Takes the first; undefined for none. */
  take(): T | undefined {
    if (this.first === this.items.length) return undefined;
    const item = this.items[this.first++];
    // Not each time: what is behind has to move.
    if (2 * this.first >= this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}
