import { describe, expect, it, vi } from 'vitest';
import { captureDevices, type CaptureApi } from './capture';
import { fakeTrack } from './fakes';
import { causeOf } from './media-problems';

function stream(...tracks: MediaStreamTrack[]): MediaStream {
  const ofKind = (kind: string) => tracks.filter((track) => track.kind === kind);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return {
    getTracks: () => tracks,
    getAudioTracks: () => ofKind('audio'),
    getVideoTracks: () => ofKind('video'),
  } as unknown as MediaStream;
}

function failing(name: string): Promise<MediaStream> {
  return Promise.reject(new DOMException('no', name));
}

/** A browser in which each device works or fails with the named error. */
function browser(audio: string | null, video: string | null, options: Partial<CaptureApi> = {}): CaptureApi {
  return {
    isSecure: true,
    isGranted: () => Promise.resolve(false),
    getDisplayMedia: () => failing('NotAllowedError'),
    getUserMedia: vi.fn<CaptureApi['getUserMedia']>((wanted) => {
      const error = (wanted.audio ? audio : null) ?? (wanted.video ? video : null);
      if (error !== null) {
        return failing(error);
      }
      const tracks = [wanted.audio ? fakeTrack('audio') : null, wanted.video ? fakeTrack('video') : null];
      return Promise.resolve(stream(...tracks.filter((track) => track !== null)));
    }),
    ...options,
  };
}

const BOTH = { microphone: true, camera: true };

describe('captureDevices', () => {
  it('asks once for both', async () => {
    const api = browser(null, null);
    const captured = await captureDevices(api, BOTH);
    expect(api.getUserMedia).toHaveBeenCalledOnce();
    expect(captured).toMatchObject({ microphone: { kind: 'audio' }, camera: { kind: 'video' }, problems: [] });
  });

  it('lets somebody without a camera talk', async () => {
    const captured = await captureDevices(browser(null, 'NotFoundError'), BOTH);
    expect(captured.microphone?.kind).toBe('audio');
    expect(captured.problems).toEqual([{ device: 'camera', cause: 'not-found' }]);
  });

  it('does not ask again somebody who has just said no', async () => {
    const api = browser('NotAllowedError', 'NotAllowedError');
    const captured = await captureDevices(api, BOTH);
    expect(api.getUserMedia).toHaveBeenCalledOnce();
    expect(captured.problems).toEqual([
      { device: 'microphone', cause: 'denied' },
      { device: 'camera', cause: 'denied' },
    ]);
  });

  it('still opens a microphone that is allowed when the camera is denied', async () => {
    const api = browser(null, 'NotAllowedError', { isGranted: (device) => Promise.resolve(device === 'microphone') });
    const captured = await captureDevices(api, BOTH);
    expect(captured.microphone?.kind).toBe('audio');
    expect(captured.problems).toEqual([{ device: 'camera', cause: 'denied' }]);
  });

  it('names an insecure origin as such, without asking', async () => {
    const api = browser(null, null, { isSecure: false });
    const captured = await captureDevices(api, { microphone: false, camera: true });
    expect(api.getUserMedia).not.toHaveBeenCalled();
    expect(captured.problems).toEqual([{ device: 'camera', cause: 'insecure' }]);
  });

  it('opens nothing when nothing is wanted', async () => {
    const api = browser(null, null);
    await captureDevices(api, { microphone: false, camera: false });
    expect(api.getUserMedia).not.toHaveBeenCalled();
  });
});

describe('causeOf', () => {
  it.each([
    ['NotAllowedError', 'denied'],
    ['SecurityError', 'denied'],
    ['NotFoundError', 'not-found'],
    ['OverconstrainedError', 'not-found'],
    ['NotReadableError', 'in-use'],
    ['AbortError', 'in-use'],
    ['TypeError', 'unknown'],
  ])('%s means %s', (name, cause) => {
    expect(causeOf(new DOMException('', name))).toBe(cause);
  });

  it('takes anything at all', () => {
    expect([undefined, null, 'no', 7].map(causeOf)).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  });
});
