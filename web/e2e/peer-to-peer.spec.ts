import type { CallState, Naming } from './harness/peer-to-peer';
import type { Server } from './fixtures/server';
import { RawClient, type Fields } from './fixtures/socket';
import { expect, openHarness, test as base, type Page } from './fixtures/test';

/** How long a call rings where nobody is to answer: the least that can be set. */
const RING_MS = 1_000;

interface Calls {
  /** A page of one user's, registered for calls. */
  callerPage: (userId: string, naming: Naming, at?: Server) => Promise<Page>;
  /** A socket of one user's without a browser, registered for calls. */
  callerSocket: (userId: string, transport?: 'websocket' | 'polling', at?: Server) => Promise<RawClient>;
}

const test = base.extend<Calls>({
  callerPage: async ({ browser, server }, use) => {
    const pages: Page[] = [];
    await use(async (userId, naming, at = server) => {
      const page = await openHarness(await (await browser.newContext()).newPage(), at.url);
      pages.push(page);
      await page.evaluate(
        async (options) => {
          await window.harness.startCaller(options);
        },
        { userId, userName: `${userId} by name`, naming },
      );
      return page;
    });
    await Promise.all(pages.map(async (page) => page.context().close()));
  },

  callerSocket: async ({ server }, use) => {
    const clients: RawClient[] = [];
    await use(async (userId, transport, at = server) => {
      const client = await RawClient.connect(at.url, transport);
      clients.push(client);
      client.emit('register-user', { userId, userName: `${userId} by name`, socketId: client.id });
      await expectHeard(client, 'user-registered', [{ userId, socketId: client.id, success: true }]);
      return client;
    });
    for (const client of clients) {
      client.close();
    }
  },
});

/** All that was ever told by that event. */
async function expectHeard(client: RawClient, name: string, payloads: readonly Fields[]): Promise<void> {
  await expect.poll(() => client.received(name), name).toEqual(payloads);
}

async function expectState(page: Page, state: CallState): Promise<void> {
  await expect.poll(() => page.evaluate(() => window.harness.caller.state), 'state of the call').toBe(state);
}

function reception(page: Page) {
  return page.evaluate(() => window.harness.caller.reception());
}

/** Pictures keep being decoded, and sound that is not silence keeps arriving. */
async function expectMedia(page: Page): Promise<void> {
  const first = await reception(page);
  await expect
    .poll(async () => (await reception(page)).framesDecoded - first.framesDecoded, 'pictures')
    .toBeGreaterThanOrEqual(5);
  await expect
    .poll(async () => (await reception(page)).totalAudioEnergy - first.totalAudioEnergy, 'sound')
    .toBeGreaterThan(0);
}

async function call(page: Page, userId: string): Promise<void> {
  await page.evaluate((target) => window.harness.caller.call(target), userId);
}

async function accept(page: Page): Promise<void> {
  await expectState(page, 'ringing');
  await page.evaluate(() => window.harness.caller.accept());
}

async function hangUp(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.harness.caller.hangUp();
  });
}

async function expectNoErrors(...pages: readonly Page[]): Promise<void> {
  const errors = await Promise.all(pages.map(async (page) => page.evaluate(() => window.harness.caller.errors)));
  expect(errors.flat()).toEqual([]);
}

async function stats(server: Server): Promise<unknown> {
  return (await fetch(`${server.url}/stats`)).json();
}

for (const naming of ['targetUserId', 'to'] as const satisfies readonly Naming[]) {
  test(`two browsers that say "${naming}" call each other, and either hangs up`, async ({
    startServer,
    callerPage,
  }) => {
    const server = await startServer();
    const ann = await callerPage('ann', naming, server);
    const bob = await callerPage('bob', naming, server);

    await call(ann, 'bob');
    await accept(bob);
    expect(await bob.evaluate(() => window.harness.caller.callerName)).toBe('ann by name');
    await test.step('ann sees and hears bob', () => expectMedia(ann));
    await test.step('bob sees and hears ann', () => expectMedia(bob));
    // None of it comes here.
    expect(await stats(server)).toMatchObject({ calls: 1, rooms: 0, transports: 0 });
    await hangUp(ann);
    await expectState(bob, 'idle');
    expect(await stats(server)).toMatchObject({ calls: 0 });

    await call(bob, 'ann');
    await accept(ann);
    await test.step('ann sees and hears bob again', () => expectMedia(ann));
    await test.step('bob sees and hears ann again', () => expectMedia(bob));
    await hangUp(ann);
    await expectState(bob, 'idle');

    await call(ann, 'bob');
    await expectState(bob, 'ringing');
    await bob.evaluate(() => {
      window.harness.caller.reject();
    });
    await expectState(ann, 'idle');
    expect(await ann.evaluate(() => window.harness.caller.isAvailable('bob'))).toBe(true);
    await expectNoErrors(ann, bob);
  });
}

test('a browser that closes ends the call for the other one', async ({ startServer, callerPage }) => {
  const server = await startServer();
  const ann = await callerPage('ann', 'targetUserId', server);
  const bob = await callerPage('bob', 'to', server);
  await call(ann, 'bob');
  await accept(bob);
  await expectMedia(ann);
  await bob.close();
  await expectState(ann, 'idle');
  expect(await ann.evaluate(() => window.harness.caller.isAvailable('bob'))).toBe(false);
  await expectNoErrors(ann);
});

for (const transport of ['websocket', 'polling'] as const) {
  test(`over ${transport} a call is placed, refused, cancelled, answered and ended by events alone`, async ({
    startServer,
    callerSocket,
  }) => {
    const server = await startServer();
    const ann = await callerSocket('ann', transport, server);
    const laptop = await callerSocket('bob', transport, server);
    const phone = await callerSocket('bob', transport, server);
    const offer = { type: 'offer', sdp: 'v=0\r\n' };
    const answer = { type: 'answer', sdp: 'v=0\r\n' };
    const incoming = { callerId: 'ann', callerName: 'ann by name', offer, from: 'ann' };

    ann.emit('check-user-availability', { targetUserId: 'bob' });
    await expectHeard(ann, 'user-availability-response', [{ isAvailable: true }]);
    ann.emit('initiate-call', { targetUserId: 'nobody', callerId: 'ann', callerName: 'Ann', offer });
    await expectHeard(ann, 'call-error', [{ message: 'targetUserId: nobody of that id is registered' }]);

    ann.emit('initiate-call', { targetUserId: 'bob', callerId: 'eve', callerName: 'Eve', offer });
    await expectHeard(laptop, 'incoming-call', [incoming]);
    await expectHeard(phone, 'incoming-call', [incoming]);
    laptop.emit('call-rejected', { targetUserId: 'ann' });
    await expectHeard(ann, 'call-rejected', [{}]);
    await expectHeard(phone, 'call-cancelled', [{}]);

    ann.emit('initiate-call', { from: 'eve', to: 'bob', offer });
    await expectHeard(laptop, 'incoming-call', [incoming, incoming]);
    ann.emit('cancel-call', { targetUserId: 'bob' });
    await expectHeard(laptop, 'call-cancelled', [{}]);
    await expectHeard(phone, 'call-cancelled', [{}, {}]);

    ann.emit('initiate-call', { from: 'ann', to: 'bob', offer });
    await expectHeard(phone, 'incoming-call', [incoming, incoming, incoming]);
    ann.emit('ice-candidate', { to: 'bob', candidate: { candidate: 'of ann' } });
    phone.emit('call-accepted', { to: 'ann', answer });
    await expectHeard(ann, 'call-accepted', [{ answer }]);
    await expectHeard(laptop, 'call-cancelled', [{}, {}]);
    await expectHeard(phone, 'ice-candidate', [{ candidate: { candidate: 'of ann' }, userId: 'ann' }]);
    phone.emit('ice-candidate', { targetUserId: 'ann', candidate: { candidate: 'of bob' } });
    await expectHeard(ann, 'ice-candidate', [{ candidate: { candidate: 'of bob' }, userId: 'bob' }]);
    expect(await stats(server)).toMatchObject({ calls: 1 });

    phone.close();
    await expectHeard(ann, 'call-ended', [{}]);
    expect(laptop.received('ice-candidate')).toEqual([]);
    expect(laptop.received('call-ended')).toEqual([]);
    expect(await stats(server)).toMatchObject({ calls: 0 });
  });
}

test('a call that nobody answers is given up after the configured time', async ({ startServer, callerSocket }) => {
  const server = await startServer({ CALL_TIMEOUT_MS: String(RING_MS) });
  const ann = await callerSocket('ann', 'websocket', server);
  const bob = await callerSocket('bob', 'websocket', server);
  ann.emit('initiate-call', { to: 'bob', offer: {} });
  await expectHeard(bob, 'incoming-call', [{ callerId: 'ann', callerName: 'ann by name', offer: {}, from: 'ann' }]);
  await expectHeard(ann, 'call-error', [{ message: 'the call was not answered' }]);
  await expectHeard(bob, 'call-cancelled', [{}]);
  bob.emit('check-user-availability', { targetUserId: 'ann' });
  await expectHeard(bob, 'user-availability-response', [{ isAvailable: true }]);
});
