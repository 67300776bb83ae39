/** A client that sends as fast as the server takes it, and reads nothing. */

export class Mute {
  closed = false;
  private readonly socket: Bun.Socket;
  private left: Buffer;

  private constructor(socket: Bun.Socket, bytes: Buffer) {
    this.socket = socket;
    this.left = bytes;
  }

  static async connect(port: number, bytes: string): Promise<Mute> {
    let mute: Mute | undefined;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data() {},
        drain: () => mute?.send(),
        close: () => mute?.ended(),
        error: () => mute?.ended(),
      },
    });
    socket.pause();
    mute = new Mute(socket, Buffer.from(bytes, "latin1"));
    mute.send();
    return mute;
  }

  private send(): void {
    this.left = this.left.subarray(Math.max(0, this.socket.write(this.left)));
  }

  private ended(): void {
    this.closed = true;
  }

  close(): void {
    this.socket.terminate();
  }
}
