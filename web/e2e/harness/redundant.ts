import type { types } from 'mediasoup-client';

/** RED and what it carries, as they stand in an SDP. */
interface Red {
  payloadType: string;
  blocks: string;
}

/** What the audio that is sent was negotiated to be. */
let red: Red | undefined;

/**
 * A connection whose audio is sent as RED (RFC 2198). mediasoup-client negotiates one codec alone, and RED is nothing
 * without the Opus that it carries; so what the browser offers of it is added to the answer that mediasoup-client makes up,
 * and, by {@link withRedCodec}, to what it says to the server.
 */
export class RedundantConnection extends RTCPeerConnection {
  override async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    if (description.type !== 'answer') {
      return super.setRemoteDescription(description);
    }
    red = offeredRed(this.localDescription?.sdp ?? '');
    return super.setRemoteDescription({ ...description, sdp: withRed(description.sdp ?? '', red) });
  }
}

/** The parameters of audio as they are once RED is first among the codecs. */
export function withRedCodec(parameters: types.RtpParameters): types.RtpParameters {
  if (!red || !parameters.codecs.some(({ mimeType }) => mimeType.toLowerCase() === 'audio/opus')) {
    return parameters;
  }
  const codec: types.RtpCodecParameters = {
    mimeType: 'audio/red',
    payloadType: Number(red.payloadType),
    clockRate: 48_000,
    channels: 2,
    // As mediasoup-client reads an SDP: a list without a name is a name without a value.
    parameters: { [red.blocks]: '' },
  };
  return { ...parameters, codecs: [codec, ...parameters.codecs] };
}

function offeredRed(offer: string): Red {
  const [, payloadType = ''] = /^a=rtpmap:(\d+) red\/48000\/2\r?$/m.exec(offer) ?? [];
  const [, blocks = ''] = new RegExp(`^a=fmtp:${payloadType} (\\S+)`, 'm').exec(offer) ?? [];
  if (payloadType === '' || blocks === '') {
    throw new Error('this browser offers no RED');
  }
  return { payloadType, blocks };
}

function withRed(answer: string, { payloadType, blocks }: Red): string {
  const [opus = ''] = blocks.split('/');
  return answer
    .replace(new RegExp(`^(m=audio \\d+ \\S+) ${opus}\\b`, 'm'), `$1 ${payloadType} ${opus}`)
    .replace(
      new RegExp(`^a=rtpmap:${opus} `, 'm'),
      `a=rtpmap:${payloadType} red/48000/2\r\na=fmtp:${payloadType} ${blocks}\r\n$&`,
    );
}
