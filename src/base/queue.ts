/** First in, first out. Adding and taking cost the same however long the queue is. */
export class Queue<T> {
  private items: T[] = [];
  /** The index of the next item to take; the items before it were taken. */
  private first = 0;

  get size(): number {
    return this.items.length - this.first;
  }

  /** The oldest item, which is taken next; undefined if the queue is empty. */
  get oldest(): T | undefined {
    return this.items[this.first];
  }

  add(item: T): void {
    this.items.push(item);
  }

  /** Takes the oldest item; undefined if the queue is empty. */
  take(): T | undefined {
    if (this.first === this.items.length) return undefined;
    const item = this.items[this.first++];
    // Only when half is taken, because slicing copies the rest.
    if (2 * this.first >= this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}
