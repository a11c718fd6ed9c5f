import type { types } from 'mediasoup-client';
import type { Client } from './client';

/** Three encodings, or one whose layers the mode names. */
export type Layering = 'simulcast' | 'L3T3' | 'L3T3_KEY';

/** One encoding as it is sent. */
export interface Sent {
  /** Empty for a publisher of one encoding. */
  rid: string;
  isActive: boolean;
  isSent: boolean;
  bytesSent: number;
  /** Of the largest spatial layer. */
  frameWidth: number;
  /** A picture is one, however many spatial layers it has. */
  picturesEncoded: number;
}

/** What a consumer has got of a picture. */
export interface Received {
  frameWidth: number;
  frameHeight: number;
  /** Whole, be they decoded or not. */
  framesReceived: number;
  framesDecoded: number;
  freezeCount: number;
  /** Seconds. */
  totalFreezesDuration: number;
  keyFramesDecoded: number;
  pliCount: number;
}

/** Chromium makes three layers only of pictures that are large enough. */
const CAMERA: MediaTrackConstraints = { width: 960, height: 540, frameRate: 30 };

/** Enough for sharp pictures, and so little that the path's estimate, which grows from little, soon carries all. */
const ENCODINGS: types.RtpEncodingParameters[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 80_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 2, maxBitrate: 200_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 500_000, scalabilityMode: 'L1T3' },
];
const RICH_ENCODINGS: types.RtpEncodingParameters[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 100_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 2, maxBitrate: 300_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 800_000, scalabilityMode: 'L1T3' },
];
const RICH = { width: 960, height: 540, frameRate: 15, spots: 60, spotSize: 24 };
const SVC_BITRATE_BPS = 700_000;
const START_BITRATE_KBPS = 1000;

/** Then it does not happen any more. */
const SWITCH_MAX_MS = 10_000;

type Stats = Record<string, unknown>;

/** Publishes the camera in layers. */
export async function publishLayered(client: Client, mimeType: string, layering: Layering): Promise<string> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA });
  const encodings = layering === 'simulcast' ? ENCODINGS : [{ scalabilityMode: layering, maxBitrate: SVC_BITRATE_BPS }];
  return publishStream(client, stream, mimeType, encodings);
}

/** Publishes pictures in layers that take all the bits they may: those of the test camera take few. */
export async function publishRich(client: Client): Promise<string> {
  return publishStream(client, richStream(), 'video/VP8', RICH_ENCODINGS);
}

async function publishStream(
  client: Client,
  stream: MediaStream,
  mimeType: string,
  encodings: types.RtpEncodingParameters[],
): Promise<string> {
  const [track] = stream.getTracks();
  if (!track) {
    throw new Error('no camera');
  }
  const codecOptions = { videoGoogleStartBitrate: START_BITRATE_KBPS };
  return client.publish(track, { type: 'camera' }, mimeType, encodings, codecOptions);
}

/** Soft spots that jump about. */
function richStream(): MediaStream {
  const canvas = document.createElement('canvas');
  canvas.width = RICH.width;
  canvas.height = RICH.height;
  const context = canvas.getContext('2d');
  if (!context) {
    throw new Error('no canvas');
  }
  context.fillStyle = '#808080';
  context.fillRect(0, 0, canvas.width, canvas.height);
  setInterval(() => {
    for (let spot = 0; spot < RICH.spots; spot += 1) {
      context.fillStyle = `hsl(${Math.random() * 360} 40% ${30 + Math.random() * 40}%)`;
      context.fillRect(Math.random() * canvas.width, Math.random() * canvas.height, RICH.spotSize, RICH.spotSize);
    }
  }, 1000 / RICH.frameRate);
  return canvas.captureStream(RICH.frameRate);
}

/** What is sent of a producer now, smallest encoding first. */
export async function sent(client: Client, producerId: string): Promise<Sent[]> {
  const stats = Array.from((await client.producer(producerId).getStats()).values()) as Stats[];
  return stats
    .filter(({ type }) => type === 'outbound-rtp')
    .map((one) => {
      // Chromium counts each spatial layer of a picture as a frame.
      const [, spatialLayers] = /^[LS](\d)T/.exec(String(one['scalabilityMode'])) ?? [];
      return {
        rid: typeof one['rid'] === 'string' ? one['rid'] : '',
        isActive: one['active'] === true,
        isSent: one['active'] === true && Number(one['framesPerSecond']) > 0,
        bytesSent: Number(one['bytesSent'] ?? 0),
        frameWidth: Number(one['frameWidth'] ?? 0),
        picturesEncoded: Number(one['framesEncoded'] ?? 0) / Number(spatialLayers ?? 1),
      };
    })
    .sort((a, b) => a.rid.localeCompare(b.rid));
}

export async function received(client: Client, producerId: string): Promise<Received> {
  const consumer = await client.consume(producerId);
  const stats = Array.from((await consumer.getStats()).values()) as Stats[];
  const inbound = stats.find(({ type }) => type === 'inbound-rtp') ?? {};
  const number = (name: string): number => Number(inbound[name] ?? 0);
  return {
    frameWidth: number('frameWidth'),
    frameHeight: number('frameHeight'),
    framesReceived: number('framesReceived'),
    framesDecoded: number('framesDecoded'),
    freezeCount: number('freezeCount'),
    totalFreezesDuration: number('totalFreezesDuration'),
    keyFramesDecoded: number('keyFramesDecoded'),
    pliCount: number('pliCount'),
  };
}

/** Asks for layers of a producer that is received. */
export async function preferLayers(
  client: Client,
  producerId: string,
  spatialLayer: number,
  temporalLayer?: number,
): Promise<unknown> {
  const { id: consumerId } = await client.consume(producerId);
  return client.request('setPreferredLayers', {
    consumerId,
    spatialLayer,
    ...(temporalLayer !== undefined && { temporalLayer }),
  });
}

/** Milliseconds from asking for a spatial layer until a picture of its width is there to be shown. */
export async function timeToSwitch(
  client: Client,
  producerId: string,
  spatialLayer: number,
  width: number,
): Promise<number> {
  const { track } = await client.consume(producerId);
  // The frames themselves: statistics are answered from a cache that may be 50 ms old.
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const start = performance.now();
  const asked = preferLayers(client, producerId, spatialLayer);
  const widths = new Set<number>();
  while (!widths.has(width)) {
    // One picture after another, as they come.
    // oxlint-disable-next-line no-await-in-loop
    const { value: frame } = await reader.read();
    if (!frame || performance.now() - start > SWITCH_MAX_MS) {
      throw new Error(`no picture ${width} wide, but ${Array.from(widths).join(', ')}`);
    }
    widths.add(frame.displayWidth);
    frame.close();
  }
  const elapsedMs = performance.now() - start;
  await asked;
  await reader.cancel();
  return elapsedMs;
}
