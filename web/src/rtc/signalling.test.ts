import { describe, expect, it, vi } from 'vitest';
import { FakeSocket } from './fakes';
import { REQUEST_TIMEOUT_MS, Signalling } from './signalling';

describe('Signalling', () => {
  it('takes a null answer for success', async () => {
    const socket = new FakeSocket(() => null);
    const signalling = new Signalling(socket);
    signalling.connect();
    await expect(signalling.request('resumeConsumer', { consumerId: 'c' })).resolves.toBeNull();
  });

  it('rejects with the words of the server', async () => {
    const socket = new FakeSocket(() => ({ error: 'no such consumer' }));
    const signalling = new Signalling(socket);
    signalling.connect();
    await expect(signalling.request('resumeConsumer', { consumerId: 'c' })).rejects.toMatchObject({
      code: 'refused',
      message: 'no such consumer',
    });
  });

  it('queues nothing while the socket is down: the next server would not know the ids', async () => {
    const socket = new FakeSocket(() => null);
    const signalling = new Signalling(socket);
    await expect(signalling.request('resumeConsumer', { consumerId: 'c' })).rejects.toMatchObject({ code: 'disconnected' });
    signalling.notify('producerClosed', { producerId: 'p', roomId: 'r' });
    signalling.connect();
    expect(socket.sent).toEqual([]);
  });

  it('rejects what is awaited when the connection is lost', async () => {
    const socket = new FakeSocket(() => undefined);
    const signalling = new Signalling(socket);
    signalling.connect();
    const request = signalling.request('resumeConsumer', { consumerId: 'c' });
    socket.goDown('transport close');
    await expect(request).rejects.toMatchObject({ code: 'disconnected' });
  });

  it('stops waiting for an answer that does not come', async () => {
    vi.useFakeTimers();
    const socket = new FakeSocket(() => undefined);
    const signalling = new Signalling(socket);
    signalling.connect();
    const outcome = expect(signalling.request('resumeConsumer', { consumerId: 'c' })).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS);
    await outcome;
    vi.useRealTimers();
  });
});
