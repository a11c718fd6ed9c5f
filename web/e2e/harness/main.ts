import type { Client, ClientOptions, ReceivedEvent } from './client';
import {
  preferLayers,
  publishLayered,
  publishRich,
  received,
  sent,
  timeToSwitch,
  type Layering,
  type Received,
  type Sent,
} from './layered';
import { DirectCaller, type CallerOptions } from './peer-to-peer';
import { RedundantConnection, withRedCodec } from './redundant';
import { CallClient, DirectionClient, ProducingClient } from './vocabularies';
import { Voice } from './voice';

export type Vocabulary = 'call' | 'room by direction' | 'room by producing';
export type Source = 'microphone' | 'camera' | 'screen';

export interface JoinOptions extends ClientOptions {
  vocabulary: Vocabulary;
  /** Sends audio as RED. */
  isRedundant?: boolean;
}

/** What arrived of one producer. */
export interface Reception {
  kind: string;
  mimeType: string;
  bytesReceived: number;
  packetsReceived: number;
  framesDecoded: number;
  frameWidth: number;
  videoWidth: number;
  totalAudioEnergy: number;
}

/** Milliseconds since `consume` was sent. */
export interface FirstFrame {
  /** The browser has its track, and the server was told to send. */
  resumedMs: number;
  /** ICE and DTLS are through; 0 if they were before. */
  connectedMs: number;
  firstFrameMs: number;
}

/** Where a transport's media goes. */
export interface Route {
  protocol: string;
  address: string;
  port: number;
}

const CLIENTS = { call: CallClient, 'room by direction': DirectionClient, 'room by producing': ProducingClient };

/** Small enough that a two-core machine encodes and decodes several of them. */
const CAMERA: MediaTrackConstraints = { width: 640, height: 360, frameRate: 15 };

/** Chromium makes three layers only of pictures that are large enough. */
const LAYERED_CAMERA: MediaTrackConstraints = { width: 960, height: 540, frameRate: 10 };
const LAYERS: RTCRtpEncodingParameters[] = [
  { rid: 'r0', scaleResolutionDownBy: 4, maxBitrate: 80_000 },
  { rid: 'r1', scaleResolutionDownBy: 2, maxBitrate: 200_000 },
  { rid: 'r2', scaleResolutionDownBy: 1, maxBitrate: 600_000 },
];

let client: Client | undefined;
let voice: Voice | undefined;
let caller: DirectCaller | undefined;
const tracks = new Map<string, MediaStreamTrack>();

/** One client in this page, driven by the test. */
export const harness = {
  async join({ vocabulary, isRedundant = false, ...options }: JoinOptions): Promise<void> {
    client = new CLIENTS[vocabulary](options);
    if (isRedundant) {
      window.RTCPeerConnection = RedundantConnection;
      client.amendSent = withRedCodec;
    }
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
      packetsReceived: Number(inbound['packetsReceived'] ?? 0),
      framesDecoded: Number(inbound['framesDecoded'] ?? 0),
      frameWidth: Number(inbound['frameWidth'] ?? 0),
      videoWidth: joined().video(producerId)?.videoWidth ?? 0,
      totalAudioEnergy: Number(inbound['totalAudioEnergy'] ?? 0),
    };
  },

  /** The layers of a producer that are sent now, as wide as they are sent: smallest first. */
  async layerWidths(producerId: string): Promise<number[]> {
    const stats = Array.from((await joined().producer(producerId).getStats()).values()) as Record<string, unknown>[];
    const sent = stats.filter(
      ({ type, active, framesPerSecond }) => type === 'outbound-rtp' && active === true && Number(framesPerSecond) > 0,
    );
    return sent.map(({ frameWidth }) => Number(frameWidth)).sort((a, b) => a - b);
  },

  /** Publishes the camera in three layers. */
  async publishLayers(): Promise<string> {
    const stream = await navigator.mediaDevices.getUserMedia({ video: LAYERED_CAMERA });
    const [track] = stream.getTracks();
    if (!track) {
      throw new Error('no camera');
    }
    return joined().publish(track, { type: 'camera' }, 'video/VP8', LAYERS);
  },

  /** Stops sending the layers above this one. */
  async setTopLayer(producerId: string, layer: number): Promise<void> {
    await joined().producer(producerId).setMaxSpatialLayer(layer);
  },

  async publishLayered(mimeType: string, layering: Layering): Promise<string> {
    return publishLayered(joined(), mimeType, layering);
  },

  async publishRich(): Promise<string> {
    return publishRich(joined());
  },

  /** Publishes a voice, silent at first. */
  async publishVoice(): Promise<string> {
    voice = new Voice();
    return joined().publish(voice.track, { type: 'microphone' });
  },

  /** The voice speaks, or falls silent. */
  speak(speaks: boolean): void {
    if (!voice) {
      throw new Error('no voice was published');
    }
    voice.isSpeaking = speaks;
  },

  /** The codecs that were negotiated for a producer that is received. */
  async codecs(producerId: string): Promise<string[]> {
    const { rtpParameters } = await joined().consume(producerId);
    return rtpParameters.codecs.map(({ mimeType }) => mimeType);
  },

  async sent(producerId: string): Promise<Sent[]> {
    return sent(joined(), producerId);
  },

  async received(producerId: string): Promise<Received> {
    return received(joined(), producerId);
  },

  async preferLayers(producerId: string, spatialLayer: number, temporalLayer?: number): Promise<unknown> {
    return preferLayers(joined(), producerId, spatialLayer, temporalLayer);
  },

  /** Says how important a producer is among those that are received, 1 to 255. */
  async prioritise(producerId: string, priority: number): Promise<void> {
    const { id: consumerId } = await joined().consume(producerId);
    await joined().request('setPriority', { consumerId, priority });
  },

  /** Lets so many bits per second be sent to this client at most. */
  async limitReceiving(bitrate: number): Promise<void> {
    await joined().request('setMaxOutgoingBitrate', { transportId: joined().recvTransport.id, bitrate });
  },

  async timeToSwitch(producerId: string, spatialLayer: number, width: number): Promise<number> {
    return timeToSwitch(joined(), producerId, spatialLayer, width);
  },

  /** The consumer of a producer, made if there is none yet. */
  async consumerId(producerId: string): Promise<string> {
    return (await joined().consume(producerId)).id;
  },

  /** The server's side of the pair that ICE has chosen, for each transport that is connected. */
  async routes(): Promise<Route[]> {
    const { sendTransport, recvTransport } = joined();
    const reports = await Promise.all([sendTransport.getStats(), recvTransport.getStats()]);
    return reports.flatMap((report) => {
      const stats = Array.from(report.values()) as Record<string, unknown>[];
      const chosen = stats.find(({ type }) => type === 'transport')?.['selectedCandidatePairId'];
      const pair = stats.find(({ id }) => id === chosen);
      const remote = stats.find(({ id }) => pair !== undefined && id === pair['remoteCandidateId']);
      return remote
        ? [{ protocol: String(remote['protocol']), address: String(remote['address']), port: Number(remote['port']) }]
        : [];
    });
  },

  /** How long it takes from sending `consume` to the first decoded frame, and what of it is spent where. */
  async timeToFirstFrame(producerId: string): Promise<FirstFrame> {
    const start = performance.now();
    const transport = joined().recvTransport;
    let connectedMs = 0;
    transport.on('connectionstatechange', (state) => {
      if (state === 'connected') {
        connectedMs = performance.now() - start;
      }
    });
    const consumer = await joined().consume(producerId);
    const resumedMs = performance.now() - start;
    // The frames themselves: statistics are answered from a cache that may be 50 ms old.
    const { readable } = new MediaStreamTrackProcessor({ track: consumer.track });
    const reader = readable.getReader();
    const { value: frame } = await reader.read();
    const firstFrameMs = performance.now() - start;
    frame?.close();
    await reader.cancel();
    return { resumedMs, connectedMs, firstFrameMs };
  },

  /** Whether this browser can encode the codec at all. */
  canEncode(mimeType: string): boolean {
    const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
    return codecs.some((codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase());
  },

  /** A client for calls between two, instead of one in a room. */
  async startCaller(options: CallerOptions): Promise<void> {
    caller = new DirectCaller(options);
    await caller.register();
  },

  get caller(): DirectCaller {
    if (!caller) {
      throw new Error('not registered');
    }
    return caller;
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
  /** Chromium's; not among TypeScript's types. */
  class MediaStreamTrackProcessor {
    constructor(init: { track: MediaStreamTrack });
    readonly readable: ReadableStream<VideoFrame>;
  }

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
