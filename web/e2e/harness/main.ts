import type { Client, ClientOptions, ReceivedEvent } from './client';
import { CallClient, DirectionClient, ProducingClient } from './vocabularies';

export type Vocabulary = 'call' | 'room by direction' | 'room by producing';
export type Source = 'microphone' | 'camera' | 'screen';

export interface JoinOptions extends ClientOptions {
  vocabulary: Vocabulary;
}

/** What arrived of one producer. */
export interface Reception {
  kind: string;
  mimeType: string;
  bytesReceived: number;
  framesDecoded: number;
  videoWidth: number;
  totalAudioEnergy: number;
}

const CLIENTS = { 'call': CallClient, 'room by direction': DirectionClient, 'room by producing': ProducingClient };

/** Small enough that a two-core machine encodes and decodes several of them. */
const CAMERA: MediaTrackConstraints = { width: 640, height: 360, frameRate: 15 };

let client: Client | undefined;
const tracks = new Map<string, MediaStreamTrack>();

/** One client in this page, driven by the test. */
export const harness = {
  async join({ vocabulary, ...options }: JoinOptions): Promise<void> {
    client = new CLIENTS[vocabulary](options);
    await client.join();
  },

  /** Publishes a source; the answer is the producer's id. */
  async publish(source: Source, mimeType?: string): Promise<string> {
    const track = await open(source);
    const producerId = await joined().publish(track, { type: source }, mimeType);
    tracks.set(producerId, track);
    return producerId;
  },

  events(name: string): unknown[] {
    return joined()
      .events.filter((event: ReceivedEvent) => event.name === name)
      .map(({ payload }) => payload);
  },

  /** What has arrived of a producer so far. */
  async reception(producerId: string): Promise<Reception> {
    const consumer = await joined().consume(producerId);
    const stats = Array.from((await consumer.getStats()).values()) as Record<string, unknown>[];
    const inbound = stats.find(({ type }) => type === 'inbound-rtp') ?? {};
    const codec = stats.find(({ id, type }) => type === 'codec' && id === inbound['codecId']) ?? {};
    return {
      kind: consumer.kind,
      mimeType: String(codec['mimeType']),
      bytesReceived: Number(inbound['bytesReceived'] ?? 0),
      framesDecoded: Number(inbound['framesDecoded'] ?? 0),
      videoWidth: joined().video(producerId)?.videoWidth ?? 0,
      totalAudioEnergy: Number(inbound['totalAudioEnergy'] ?? 0),
    };
  },

  /** The transport protocol that ICE has chosen, in each direction that is connected. */
  async protocols(): Promise<string[]> {
    const { sendTransport, recvTransport } = joined();
    const reports = await Promise.all([sendTransport.getStats(), recvTransport.getStats()]);
    return reports.flatMap((report) => {
      const stats = Array.from(report.values()) as Record<string, unknown>[];
      const chosen = stats.find(({ type }) => type === 'transport')?.['selectedCandidatePairId'];
      const pair = stats.find(({ id }) => id === chosen);
      const remote = stats.find(({ id }) => pair !== undefined && id === pair['remoteCandidateId']);
      return remote ? [String(remote['protocol'])] : [];
    });
  },

  /** Milliseconds from sending `consume` to the first decoded frame. */
  async timeToFirstFrame(producerId: string): Promise<number> {
    const start = performance.now();
    const consumer = await joined().consume(producerId);
    for (;;) {
      // Polling as fast as the browser answers is the measurement.
      // oxlint-disable-next-line no-await-in-loop
      const stats = Array.from((await consumer.getStats()).values()) as Record<string, unknown>[];
      if (stats.some(({ type, framesDecoded }) => type === 'inbound-rtp' && Number(framesDecoded) > 0)) {
        return performance.now() - start;
      }
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },

  /** Whether this browser can encode the codec at all. */
  canEncode(mimeType: string): boolean {
    const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
    return codecs.some((codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase());
  },

  emit(event: string, payload: unknown): void {
    joined().emit(event, payload);
  },

  async leave(): Promise<void> {
    await joined().leave();
  },

  disconnect(): void {
    joined().disconnect();
  },
};

export type Harness = typeof harness;

declare global {
  interface Window {
    harness: Harness;
  }
}

window.harness = harness;

function joined(): Client {
  if (!client) {
    throw new Error('not joined');
  }
  return client;
}

async function open(source: Source): Promise<MediaStreamTrack> {
  const stream =
    source === 'screen'
      ? await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 10 } })
      : await navigator.mediaDevices.getUserMedia(source === 'camera' ? { video: CAMERA } : { audio: true });
  const [track] = stream.getTracks();
  if (!track) {
    throw new Error(`no track from ${source}`);
  }
  return track;
}
