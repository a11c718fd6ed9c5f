import type { Vocabulary } from './harness/main';
import { events, expect, expectEvent, expectPicture, expectSound, publish, test, VOCABULARIES, type Page } from './fixtures/test';

interface Member {
  userId: string;
  page: Page;
  audio: string;
  video: string;
}

/** Each member sees and hears every other one. */
async function expectEveryoneMeets(members: readonly Member[]): Promise<void> {
  for (const { page, userId } of members) {
    for (const other of members.filter((one) => one.userId !== userId)) {
      // One after another: a failure then says who did not get what.
      // oxlint-disable-next-line no-await-in-loop
      await test.step(`${userId} sees and hears ${other.userId}`, async () => {
        await expectPicture(page, other.video);
        await expectSound(page, other.audio);
      });
    }
  }
}

type JoinAs = (userId: string, vocabulary: Vocabulary) => Promise<Page>;

async function joinAndPublish(joinAs: JoinAs, userId: string, vocabulary: Vocabulary): Promise<Member> {
  const page = await joinAs(userId, vocabulary);
  return { userId, page, audio: await publish(page, 'microphone'), video: await publish(page, 'camera') };
}

for (const vocabulary of VOCABULARIES) {
  test(`two clients of the vocabulary "${vocabulary}" see and hear each other`, async ({ joinAs }) => {
    const ann = await joinAndPublish(joinAs, 'ann', vocabulary);
    const bob = await joinAndPublish(joinAs, 'bob', vocabulary);
    await expectEveryoneMeets([ann, bob]);
  });

  test(`three clients of the vocabulary "${vocabulary}" see and hear one another`, async ({ joinAs }) => {
    const ann = await joinAndPublish(joinAs, 'ann', vocabulary);
    const bob = await joinAndPublish(joinAs, 'bob', vocabulary);
    const cleo = await joinAndPublish(joinAs, 'cleo', vocabulary);
    await expectEveryoneMeets([ann, bob, cleo]);
  });
}

test('clients of all vocabularies share one room, each told in its own words', async ({ joinAs }) => {
  const call = await joinAndPublish(joinAs, 'ann', 'call');
  const direction = await joinAndPublish(joinAs, 'bob', 'room by direction');
  const producing = await joinAndPublish(joinAs, 'cleo', 'room by producing');
  await expectEveryoneMeets([call, direction, producing]);

  await expectEvent(call.page, 'peerJoined', { userId: 'bob' });
  await expectEvent(direction.page, 'userJoined', { userId: 'cleo' });
  expect(await events(call.page, 'userJoined')).toEqual([]);
  expect(await events(direction.page, 'peerJoined')).toEqual([]);
});
