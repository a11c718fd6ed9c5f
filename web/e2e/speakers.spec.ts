import type { Server } from './fixtures/server';
import { events, expect, expectEvent, expectPicture, expectSound, publish, reception, test } from './fixtures/test';
import type { JoinAs, Page } from './fixtures/test';

/** Pictures of who is seen, or packets of who is heard, in which nothing comes of the other. */
const MEANWHILE = 15;

/** The mean of a voice and its pauses lies above, that of an interval in which it only begins may lie below. */
const LOUD_DBOV = -60;

/** Somebody with a voice, and a camera if so wished. */
interface Speaker {
  page: Page;
  userId: string;
  voice: string;
  camera: string;
}

/** Each of the two speaks while the other listens, and the first once more. */
function alternately(first: Speaker, second: Speaker) {
  return [
    [first, second],
    [second, first],
    [first, second],
  ] as const;
}

test('the camera of who spoke last is seen, and each change is told', async ({ joinAs, startServer }) => {
  const at = await startServer({ LAST_N: '1' });
  const ann = await join(joinAs, at, 'ann');
  const bob = await join(joinAs, at, 'bob');
  const cat = await joinAs('cat', 'room by direction', { at });
  for (const [speaks, listens] of alternately(ann, bob)) {
    // oxlint-disable-next-line no-await-in-loop
    await takeTurns(listens, speaks);
    // oxlint-disable-next-line no-await-in-loop
    await expectSpeaker(cat, speaks);
    // oxlint-disable-next-line no-await-in-loop
    await expectFlow(cat, listens, 'consumerPaused');
    // oxlint-disable-next-line no-await-in-loop
    await expectFlow(cat, speaks, 'consumerResumed');
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(cat, speaks.camera);
    // oxlint-disable-next-line no-await-in-loop
    await expectOnly(cat, speaks.camera, listens.camera, 'framesDecoded');
    // Their own cameras are sent to nobody else; but voices are heard by all.
    // oxlint-disable-next-line no-await-in-loop
    await expectSound(cat, speaks.voice);
  }

  const late = await joinAs('dan', 'room by direction', { at });
  await expectSpeaker(late, ann);
  await expectFlow(late, bob, 'consumerPaused');
  await expectPicture(late, ann.camera);
  await expectOnly(late, ann.camera, bob.camera, 'framesDecoded');
});

test('the loudest voice alone is forwarded, and how loud it is is told', async ({ joinAs, startServer }) => {
  const at = await startServer({ LOUDEST_N: '1', AUDIO_LEVEL_INTERVAL_MS: '250' });
  const ann = await join(joinAs, at, 'ann', false);
  const bob = await join(joinAs, at, 'bob', false);
  const cat = await joinAs('cat', 'room by direction', { at });
  for (const [speaks, listens] of alternately(ann, bob)) {
    // oxlint-disable-next-line no-await-in-loop
    await takeTurns(listens, speaks);
    // oxlint-disable-next-line no-await-in-loop
    await expectLoudest(cat, speaks);
    // oxlint-disable-next-line no-await-in-loop
    await expectSound(cat, speaks.voice);
    // oxlint-disable-next-line no-await-in-loop
    await expectOnly(cat, speaks.voice, listens.voice, 'packetsReceived');
  }
  await speak(ann, false);
  await expect.poll(async () => (await events(cat, 'audioLevels')).at(-1), 'silence').toEqual([]);
});

async function join(joinAs: JoinAs, at: Server, userId: string, hasCamera = true): Promise<Speaker> {
  const page = await joinAs(userId, 'room by direction', { at });
  const voice = await page.evaluate(() => window.harness.publishVoice());
  const camera = hasCamera ? await publish(page, 'camera', 'video/VP8') : '';
  return { page, userId, voice, camera };
}

async function takeTurns(listens: Speaker, speaks: Speaker): Promise<void> {
  await speak(listens, false);
  await speak(speaks, true);
}

async function speak({ page }: Speaker, speaks: boolean): Promise<void> {
  await page.evaluate((isSpeaking) => {
    window.harness.speak(isSpeaking);
  }, speaks);
}

async function expectSpeaker(page: Page, { userId, voice }: Speaker): Promise<void> {
  await expect
    .poll(async () => (await events(page, 'activeSpeaker')).at(-1), `${userId} is told to speak`)
    .toEqual({ userId, producerId: voice, peerId: expect.any(String) });
}

async function expectLoudest(page: Page, { userId, voice }: Speaker): Promise<void> {
  const loud = async () => {
    const last = ((await events(page, 'audioLevels')).at(-1) ?? []) as { userId: string; volume: number }[];
    return last.map(({ volume, ...who }) => ({ ...who, isLoud: volume > LOUD_DBOV }));
  };
  await expect.poll(loud, `${userId} is told to be loud`).toEqual([{ userId, producerId: voice, isLoud: true }]);
}

/** What is told last of a camera. One that was never withheld is told nothing. */
async function expectFlow(page: Page, { userId, camera }: Speaker, name: 'consumerPaused' | 'consumerResumed') {
  const consumerId = await page.evaluate((id) => window.harness.consumerId(id), camera);
  if (name === 'consumerPaused') {
    await expectEvent(page, 'consumerPaused', { consumerId, reason: 'notSpeaking' });
  }
  const count = async (event: string) => {
    const told = (await events(page, event)) as { consumerId: string }[];
    return told.filter((one) => one.consumerId === consumerId).length;
  };
  const told = async () => (await count('consumerPaused')) - (await count('consumerResumed'));
  await expect.poll(told, `${name} of ${userId}`).toBe(name === 'consumerPaused' ? 1 : 0);
}

/** One goes on, and nothing comes of the other meanwhile. */
async function expectOnly(page: Page, flows: string, stands: string, count: 'framesDecoded' | 'packetsReceived') {
  const look = async () => ({
    flows: (await reception(page, flows))[count],
    stands: (await reception(page, stands))[count],
  });
  let first = await look();
  await expect
    .poll(async () => {
      const now = await look();
      if (now.stands !== first.stands) {
        first = now;
      }
      return now.flows - first.flows;
    }, `${flows} alone`)
    .toBeGreaterThan(MEANWHILE);
}
