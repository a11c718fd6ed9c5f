import type { types } from 'mediasoup-client';

/** Above this many pixels of height a picture is worth the whole layer; each layer below has half the height. */
const WHOLE_ABOVE_PX = 480;
const HALF_ABOVE_PX = 240;

/** How many spatial layers the server can choose among for a consumer; 1 if it does not say. */
export function spatialLayersOf({ encodings }: types.RtpParameters): number {
  const [, count] = /^[LS](\d)T/.exec(encodings?.[0]?.scalabilityMode ?? '') ?? [];
  return count === undefined ? 1 : Number(count);
}

/** The lowest of `count` layers that looks sharp in a tile so many (device) pixels high, if cameras send 720 lines. */
export function spatialLayerFor(heightPx: number, count: number): number {
  const halvings = heightPx > WHOLE_ABOVE_PX ? 0 : heightPx > HALF_ABOVE_PX ? 1 : 2;
  return Math.max(0, count - 1 - halvings);
}

/**
 * Lets a sender send the layers that anybody uses, and no others. A single encoding, which may hold layers of its own,
 * is sent whole or not at all.
 */
export async function sendLayers(sender: RTCRtpSender, spatialLayers: readonly number[]): Promise<void> {
  const parameters = sender.getParameters();
  const { encodings } = parameters;
  let isChanged = false;
  for (const [layer, encoding] of encodings.entries()) {
    const active = encodings.length === 1 ? spatialLayers.length > 0 : spatialLayers.includes(layer);
    isChanged ||= encoding.active !== active;
    encoding.active = active;
  }
  if (isChanged) {
    await sender.setParameters(parameters);
  }
}
