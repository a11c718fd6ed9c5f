/**
 * Stand-ins for the server and the browser, for unit tests only: a socket whose other end is a function, and a device
 * whose transports connect when told to.
 */
import type { types } from 'mediasoup-client';
import type { SocketLike } from './signalling';

type Listener = (...args: never[]) => void;
export type Ack = (answer: unknown) => void;

export interface Sent {
  event: string;
  payload: Record<string, unknown>;
  ack: Ack | undefined;
}

/** Answers an event; undefined leaves the ack to the test (it finds it in `sent`). */
export type FakeServer = (event: string, payload: Record<string, unknown>) => unknown;

export class FakeSocket implements SocketLike {
  connected = false;
  active = true;
  /** Whether `connect` succeeds. */
  isServerUp = true;
  connects = 0;
  readonly sent: Sent[] = [];
  readonly #listeners = new Map<string, Listener[]>();
  readonly #server: FakeServer;

  constructor(server: FakeServer) {
    this.#server = server;
  }

  connect(): void {
    this.connects += 1;
    if (this.isServerUp) {
      this.comeUp();
    } else {
      this.receive('connect_error', new Error('refused'));
    }
  }

  disconnect(): void {
    this.goDown('io client disconnect');
  }

  comeUp(): void {
    this.connected = true;
    this.receive('connect');
  }

  goDown(reason: string): void {
    if (this.connected) {
      this.connected = false;
      this.receive('disconnect', reason);
    }
  }

  emit(event: string, payload: Record<string, unknown>, ack?: Ack): void {
    const record = { event, payload, ack };
    this.sent.push(record);
    const answer = this.#server(event, payload);
    if (answer !== undefined) {
      queueMicrotask(() => ack?.(answer));
    }
  }

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  /** As if the server had sent the event. */
  receive(event: string, ...args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      listener(...(args as never[]));
    }
  }

  eventsSent(event: string): Sent[] {
    return this.sent.filter((record) => record.event === event);
  }
}

export class FakeTrack extends EventTarget {
  enabled = true;
  readyState: 'live' | 'ended' = 'live';
  contentHint = '';
  readonly kind: 'audio' | 'video';

  constructor(kind: 'audio' | 'video') {
    super();
    this.kind = kind;
  }

  stop(): void {
    this.readyState = 'ended';
  }

  /** As when the device is unplugged, or the user stops it in the browser. */
  end(): void {
    this.readyState = 'ended';
    this.dispatchEvent(new Event('ended'));
  }
}

export function fakeTrack(kind: 'audio' | 'video'): MediaStreamTrack & FakeTrack {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return new FakeTrack(kind) as unknown as MediaStreamTrack & FakeTrack;
}

/** Like a browser's: parameters must be read and written in turns, and by nobody else in between. */
export class FakeSender {
  #encodings: { active: boolean; maxBitrate?: number }[];
  #transactions = 0;
  changes = 0;

  constructor(encodings: readonly object[]) {
    this.#encodings = encodings.map((encoding) => ({ active: true, ...encoding }));
  }

  /** Which encodings are sent. */
  get active(): boolean[] {
    return this.#encodings.map(({ active }) => active);
  }

  getParameters(): object {
    this.#transactions += 1;
    return { transactionId: String(this.#transactions), encodings: structuredClone(this.#encodings) };
  }

  setParameters(parameters: { transactionId: string; encodings: { active: boolean }[] }): Promise<void> {
    if (parameters.transactionId !== String(this.#transactions)) {
      return Promise.reject(new DOMException('stale parameters', 'InvalidStateError'));
    }
    this.#transactions += 1;
    this.changes += 1;
    // A real one takes its time.
    return Promise.resolve().then(() => {
      this.#encodings = parameters.encodings;
    });
  }
}

export class FakeProducer {
  closed = false;
  paused = false;
  readonly id: string;
  readonly kind: string;
  readonly rtpSender: FakeSender;
  track: FakeTrack | null;

  constructor(id: string, track: FakeTrack, encodings: readonly object[]) {
    this.id = id;
    this.kind = track.kind;
    this.track = track;
    this.rtpSender = new FakeSender(encodings);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    this.closed = true;
  }

  replaceTrack({ track }: { track: FakeTrack | null }): Promise<void> {
    this.track = track;
    return Promise.resolve();
  }
}

export class FakeConsumer {
  closed = false;
  readonly track: FakeTrack;
  readonly id: string;

  constructor(id: string, kind: 'audio' | 'video') {
    this.id = id;
    this.track = new FakeTrack(kind);
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeTransport {
  closed = false;
  #held: (() => void)[] | undefined;
  readonly id: string;
  readonly producers: FakeProducer[] = [];
  readonly consumers: FakeConsumer[] = [];
  readonly #listeners = new Map<string, Listener>();

  constructor(id: string) {
    this.id = id;
  }

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, listener);
  }

  /** Runs the handler of `connect` or `produce`, or reports a state. */
  fire(event: string, ...args: unknown[]): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.#listeners.get(event)?.(...(args as never[]));
  }

  produce({
    track,
    appData,
    encodings = [{}],
  }: {
    track: FakeTrack;
    appData: object;
    encodings?: readonly object[];
  }): Promise<FakeProducer> {
    return new Promise((resolve, reject) => {
      this.fire(
        'produce',
        { kind: track.kind, rtpParameters: {}, appData },
        ({ id }: { id: string }) => {
          const producer = new FakeProducer(id, track, encodings);
          this.producers.push(producer);
          resolve(producer);
        },
        reject,
      );
    });
  }

  /** From now on `consume` takes until {@link releaseConsumes}. */
  holdConsumes(): void {
    this.#held = [];
  }

  releaseConsumes(): void {
    for (const release of this.#held ?? []) {
      release();
    }
    this.#held = undefined;
  }

  async consume({ id, kind }: { id: string; kind: 'audio' | 'video' }): Promise<FakeConsumer> {
    const held = this.#held;
    if (held) {
      await new Promise<void>((resolve) => {
        held.push(resolve);
      });
    }
    const consumer = new FakeConsumer(id, kind);
    this.consumers.push(consumer);
    return consumer;
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeDevice {
  readonly recvRtpCapabilities = {};
  readonly sendRtpCapabilities = { codecs: [{ mimeType: 'video/VP8' }] };
  send: FakeTransport | undefined;
  recv: FakeTransport | undefined;

  load(): Promise<void> {
    return Promise.resolve();
  }

  createSendTransport({ id }: { id: string }): FakeTransport {
    this.send = new FakeTransport(id);
    return this.send;
  }

  createRecvTransport({ id }: { id: string }): FakeTransport {
    this.recv = new FakeTransport(id);
    return this.recv;
  }
}

/** A factory that keeps the devices it made, one for each connection. */
export function fakeDevices(): { made: FakeDevice[]; create: () => Promise<types.Device> } {
  const made: FakeDevice[] = [];
  return {
    made,
    create: () => {
      const device = new FakeDevice();
      made.push(device);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return Promise.resolve(device as unknown as types.Device);
    },
  };
}

/** Lets everything that is ready to happen happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) {
    // oxlint-disable-next-line no-await-in-loop
    await Promise.resolve();
  }
}
