/** A network cable between gateway and broker that can be pulled: a TCP relay on loopback. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Cable extends AsyncDisposable {
  readonly port: number;
  /** Pulled: every connection breaks and new ones are refused until it is plugged in again. */
  pull(): void;
  plug(): void;
}

export async function createCable(target: { readonly host: string; readonly port: number }): Promise<Cable> {
  const sockets = new Set<Socket>();
  let plugged = true;
  const join = (from: Socket): void => {
    if (!plugged) {
      from.destroy();
      return;
    }
    const to = connect(target);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => one.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  };
  const server: Server = createServer(join);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    pull() {
      plugged = false;
      for (const socket of sockets) socket.destroy();
    },
    plug() {
      plugged = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
