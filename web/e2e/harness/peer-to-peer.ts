import { io, type Socket } from 'socket.io-client';

/** The two kinds of client that document 002 describes differ in how they name the two sides of a call. */
export type Naming = 'targetUserId' | 'to';

export interface CallerOptions {
  userId: string;
  userName: string;
  naming: Naming;
}

export type CallState = 'idle' | 'calling' | 'ringing' | 'talking';

/** What has arrived of the other side so far. */
export interface DirectReception {
  framesDecoded: number;
  totalAudioEnergy: number;
}

interface Incoming {
  callerId: string;
  callerName: string;
  from: string;
  offer: RTCSessionDescriptionInit;
}

/**
 * A client of document 002: no acks, one connection at a time, offer before everything, and candidates added the moment
 * they come. It reads what it is told as literally as those clients do: what they would stumble over must fail here.
 */
export class DirectCaller {
  state: CallState = 'idle';
  /** Who calls, by the name that the server gives. */
  callerName = '';
  /** What went wrong, by `call-error` or in the browser. */
  readonly errors: string[] = [];
  readonly #options: CallerOptions;
  readonly #socket: Socket;
  #incoming: Incoming | undefined;
  #partner = '';
  #connection: RTCPeerConnection | undefined;
  #local: MediaStream | undefined;
  #remote: HTMLVideoElement | undefined;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#socket = io(window.location.origin, { forceNew: true, autoConnect: false, transports: ['websocket'] });
    this.#listen();
  }

  async register(): Promise<void> {
    const { userId, userName } = this.#options;
    this.#socket.on('connect', () => {
      this.#socket.emit('register-user', { userId, userName, socketId: this.#socket.id });
    });
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('user-registered', ({ success }: { success: boolean }) => {
        if (success) {
          resolve();
        } else {
          reject(new Error('not registered'));
        }
      });
      this.#socket.connect();
    });
  }

  async isAvailable(userId: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#socket.once('user-availability-response', ({ isAvailable }: { isAvailable: boolean }) => {
        resolve(isAvailable);
      });
      this.#socket.emit('check-user-availability', { targetUserId: userId });
    });
  }

  async call(userId: string): Promise<void> {
    if (!(await this.isAvailable(userId))) {
      throw new Error(`${userId} is not available`);
    }
    this.#partner = userId;
    const connection = await this.#connect();
    const offer = await connection.createOffer();
    await connection.setLocalDescription(offer);
    this.state = 'calling';
    const { userId: callerId, userName: callerName, naming } = this.#options;
    this.#socket.emit(
      'initiate-call',
      naming === 'to' ? { from: callerId, to: userId, offer } : { targetUserId: userId, callerId, callerName, offer },
    );
  }

  async accept(): Promise<void> {
    if (!this.#incoming) {
      throw new Error('nobody calls');
    }
    const { offer } = this.#incoming;
    const connection = await this.#connect();
    await connection.setRemoteDescription(offer);
    const answer = await connection.createAnswer();
    await connection.setLocalDescription(answer);
    this.state = 'talking';
    this.#say('call-accepted', { answer });
  }

  reject(): void {
    this.#say('call-rejected');
    this.#cleanUp();
  }

  hangUp(): void {
    this.#say('call-ended');
    this.#cleanUp();
  }

  async reception(): Promise<DirectReception> {
    const report = await this.#connection?.getStats();
    const stats = Array.from(report?.values() ?? []) as Record<string, unknown>[];
    const inbound = (kind: string) => stats.find((one) => one['type'] === 'inbound-rtp' && one['kind'] === kind) ?? {};
    return {
      framesDecoded: Number(inbound('video')['framesDecoded'] ?? 0),
      totalAudioEnergy: Number(inbound('audio')['totalAudioEnergy'] ?? 0),
    };
  }

  #listen(): void {
    this.#socket.on('incoming-call', (incoming: Incoming) => {
      this.#incoming = incoming;
      this.#partner = this.#options.naming === 'to' ? incoming.from : incoming.callerId;
      this.callerName = incoming.callerName;
      this.state = 'ringing';
    });
    this.#socket.on('call-accepted', ({ answer }: { answer: RTCSessionDescriptionInit }) => {
      this.state = 'talking';
      this.#note(this.#connection?.setRemoteDescription(answer));
    });
    this.#socket.on('ice-candidate', ({ candidate }: { candidate: RTCIceCandidateInit }) => {
      this.#note(this.#connection?.addIceCandidate(candidate) ?? Promise.reject(new Error('a candidate, and no call')));
    });
    for (const over of ['call-rejected', 'call-cancelled', 'call-ended']) {
      this.#socket.on(over, () => {
        this.#cleanUp();
      });
    }
    this.#socket.on('call-error', ({ message }: { message: string }) => {
      this.errors.push(message);
      this.#cleanUp();
    });
  }

  async #connect(): Promise<RTCPeerConnection> {
    this.#local = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    for (const track of this.#local.getTracks()) {
      connection.addTrack(track, this.#local);
    }
    connection.ontrack = ({ streams: [stream] }) => {
      this.#remote ??= document.body.appendChild(document.createElement('video'));
      this.#remote.autoplay = true;
      this.#remote.srcObject = stream ?? null;
    };
    connection.onicecandidate = ({ candidate }) => {
      if (candidate) {
        this.#say('ice-candidate', { candidate });
      }
    };
    return connection;
  }

  #say(event: string, payload: object = {}): void {
    this.#socket.emit(event, { [this.#options.naming]: this.#partner, ...payload });
  }

  #note(done: Promise<void> | undefined): void {
    done?.catch((error: unknown) => {
      this.errors.push(String(error));
    });
  }

  #cleanUp(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#local?.getTracks().forEach((track) => {
      track.stop();
    });
    this.#local = undefined;
    this.#remote?.remove();
    this.#remote = undefined;
    this.#incoming = undefined;
    this.state = 'idle';
  }
}
