import { Device, type types } from 'mediasoup-client';
import { io, type Socket } from 'socket.io-client';

export interface ClientOptions {
  roomId: string;
  userId: string;
  userName: string;
  /** Only candidates of this protocol are given to the browser; all by default. */
  protocol?: 'udp' | 'tcp';
  /** Consumes nothing by itself: the test says what, and when. */
  isManual?: boolean;
  /** Does not say that it can receive RED, as a client that does not know it. */
  isWithoutRed?: boolean;
}

export interface ReceivedEvent {
  name: string;
  payload: unknown;
}

export type Answer = Record<string, unknown>;
export type TransportDirection = 'send' | 'recv';

/**
 * What clients of every vocabulary have in common. The vocabularies themselves read the answers as literally as the
 * clients out there do: a shape that only a lenient reader understands must fail here.
 */
export abstract class Client {
  readonly events: ReceivedEvent[] = [];
  readonly options: ClientOptions;
  /** Changes what the server is told of what is sent. */
  amendSent: (parameters: types.RtpParameters) => types.RtpParameters = (parameters) => parameters;
  protected readonly socket: Socket;
  readonly #consumers = new Map<string, Promise<types.Consumer>>();
  readonly #producers = new Map<string, types.Producer>();
  readonly #videos = new Map<string, HTMLVideoElement>();
  readonly #early: string[] = [];
  #device: Device | undefined;
  #send: types.Transport | undefined;
  #recv: types.Transport | undefined;

  constructor(options: ClientOptions) {
    this.options = options;
    this.socket = io(window.location.origin, { forceNew: true, autoConnect: false, transports: ['websocket'] });
    this.socket.onAny((name: string, payload: unknown) => {
      this.events.push({ name, payload });
    });
    this.socket.on('newProducer', ({ producerId }: { producerId: string }) => {
      if (options.isManual === true) {
        return;
      }
      if (this.#recv) {
        void this.consume(producerId);
      } else {
        this.#early.push(producerId);
      }
    });
  }

  /** Goes into the room and makes both transports, in the order that the vocabulary's clients do it. */
  async join(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
      this.socket.connect();
    });
    const existing = await this.enter();
    for (const producerId of this.options.isManual === true ? [] : [...existing, ...this.#early]) {
      void this.consume(producerId);
    }
  }

  async publish(
    track: MediaStreamTrack,
    appData: types.AppData,
    mimeType?: string,
    encodings?: types.RtpEncodingParameters[],
    codecOptions?: types.ProducerCodecOptions,
  ): Promise<string> {
    const codec = mimeType === undefined ? undefined : this.sendCodec(mimeType);
    const producer = await this.sendTransport.produce({
      track,
      appData,
      stopTracks: false,
      ...(codec && { codec }),
      ...(encodings && { encodings }),
      ...(codecOptions && { codecOptions }),
    });
    this.#producers.set(producer.id, producer);
    return producer.id;
  }

  /** Receives a producer; asking twice gives the same consumer. */
  consume(producerId: string): Promise<types.Consumer> {
    const existing = this.#consumers.get(producerId);
    if (existing) {
      return existing;
    }
    const consuming = this.#consume(producerId);
    this.#consumers.set(producerId, consuming);
    // Nobody may be waiting for it; whoever asks later gets the error.
    consuming.catch(() => undefined);
    return consuming;
  }

  /** One of this client's own producers. */
  producer(producerId: string): types.Producer {
    return need(this.#producers.get(producerId), `producer ${producerId}`);
  }

  video(producerId: string): HTMLVideoElement | undefined {
    return this.#videos.get(producerId);
  }

  get recvTransport(): types.Transport {
    return need(this.#recv, 'receive transport');
  }

  get sendTransport(): types.Transport {
    return need(this.#send, 'send transport');
  }

  get device(): Device {
    return need(this.#device, 'device');
  }

  disconnect(): void {
    this.socket.disconnect();
    this.#send?.close();
    this.#recv?.close();
  }

  emit(event: string, payload: unknown): void {
    this.socket.emit(event, payload);
  }

  /** Asks for something that all vocabularies have; the answer in the client's own. */
  request(event: string, payload: object): Promise<unknown> {
    return this.ask(event, payload);
  }

  /** The answer's first argument, whatever it is. */
  protected ask(event: string, ...payload: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.socket.timeout(10_000).emit(event, ...payload, (late: Error | null, answer: unknown) => {
        if (late) {
          reject(new Error(`${event}: no answer`));
        } else {
          resolve(answer);
        }
      });
    });
  }

  /** What this client says that it can receive. */
  protected get recvRtpCapabilities(): types.RtpCapabilities {
    const capabilities = this.device.recvRtpCapabilities;
    if (this.options.isWithoutRed !== true) {
      return capabilities;
    }
    const codecs = (capabilities.codecs ?? []).filter(({ mimeType }) => mimeType.toLowerCase() !== 'audio/red');
    return { ...capabilities, codecs };
  }

  protected async load(routerRtpCapabilities: types.RtpCapabilities): Promise<void> {
    this.#device = await Device.factory();
    await this.#device.load({ routerRtpCapabilities });
  }

  protected async openTransports(): Promise<void> {
    const send = this.device.createSendTransport(this.#only(await this.createTransport('send')));
    send.on('connect', ({ dtlsParameters }, callback, errback) => {
      this.connectTransport(send.id, dtlsParameters).then(callback).catch(errback);
    });
    send.on('produce', ({ kind, rtpParameters, appData }, callback, errback) => {
      this.produce(send.id, kind, this.amendSent(rtpParameters), appData)
        .then((id) => {
          callback({ id });
        })
        .catch(errback);
    });
    this.#send = send;
    const recv = this.device.createRecvTransport(this.#only(await this.createTransport('recv')));
    recv.on('connect', ({ dtlsParameters }, callback, errback) => {
      this.connectTransport(recv.id, dtlsParameters).then(callback).catch(errback);
    });
    this.#recv = recv;
  }

  /** Joins; the answer is the producers that are there already. */
  protected abstract enter(): Promise<string[]>;
  protected abstract createTransport(direction: TransportDirection): Promise<types.TransportOptions>;
  protected abstract connectTransport(transportId: string, dtlsParameters: types.DtlsParameters): Promise<void>;
  protected abstract produce(
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: types.RtpParameters,
    appData: types.AppData,
  ): Promise<string>;
  protected abstract requestConsumer(producerId: string): Promise<types.ConsumerOptions>;
  protected abstract resume(consumerId: string): Promise<void>;
  abstract leave(): Promise<void>;

  async #consume(producerId: string): Promise<types.Consumer> {
    const options = await this.requestConsumer(producerId);
    const consumer = await this.recvTransport.consume(options);
    await this.resume(consumer.id);
    const element = document.createElement(consumer.kind);
    element.srcObject = new MediaStream([consumer.track]);
    document.body.append(element);
    if (element instanceof HTMLVideoElement) {
      element.muted = true;
      this.#videos.set(producerId, element);
    }
    // Not awaited: it plays when the first media has come, and whether that comes is the test's question.
    void element.play().catch(() => undefined);
    return consumer;
  }

  private sendCodec(mimeType: string): types.RtpCodecCapability {
    const codecs = this.device.sendRtpCapabilities.codecs ?? [];
    const codec = codecs.find((one) => one.mimeType.toLowerCase() === mimeType.toLowerCase());
    if (!codec) {
      throw new Error(`server and browser have no ${mimeType} in common`);
    }
    return codec;
  }

  #only(options: types.TransportOptions): types.TransportOptions {
    const { protocol } = this.options;
    if (protocol === undefined) {
      return options;
    }
    const iceCandidates = options.iceCandidates.filter((candidate) => candidate.protocol === protocol);
    if (iceCandidates.length === 0) {
      throw new Error(`the server offers no ${protocol} candidate`);
    }
    return { ...options, iceCandidates };
  }
}

function need<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) {
    throw new Error(`there is no ${name} yet`);
  }
  return value;
}
