import { expect, expectEvent, expectPicture, publish, reception, test, VOCABULARIES, type Page } from './fixtures/test';

/** How many frames are decoded within half a second. */
async function framesInHalfASecond(page: Page, producerId: string): Promise<number> {
  const before = await reception(page, producerId);
  await page.waitForTimeout(500);
  return (await reception(page, producerId)).framesDecoded - before.framesDecoded;
}

for (const vocabulary of VOCABULARIES) {
  test(`somebody who comes late sees a picture ("${vocabulary}")`, async ({ joinAs }) => {
    const ann = await joinAs('ann', 'room by direction');
    const bob = await joinAs('bob', 'room by direction');
    const video = await publish(ann, 'camera');
    await expectPicture(bob, video);
    const late = await joinAs('late', vocabulary);
    await expectPicture(late, video);
  });

  test(`a screen share from "${vocabulary}" arrives, marked as a screen`, async ({ joinAs }) => {
    const watcher = await joinAs('watcher', 'room by direction');
    const sharer = await joinAs('sharer', vocabulary);
    const screen = await publish(sharer, 'screen');
    await expectEvent(watcher, 'newProducer', {
      producerId: screen,
      kind: 'video',
      appData: expect.objectContaining({ type: 'screen' }),
    });
    await expectPicture(watcher, screen);
  });

  test(`leaving from "${vocabulary}" is told to all vocabularies`, async ({ joinAs }) => {
    const call = await joinAs('call-watcher', 'call');
    const room = await joinAs('room-watcher', 'room by direction');
    const leaver = await joinAs('leaver', vocabulary);
    const video = await publish(leaver, 'camera');
    await expectPicture(room, video);
    await leaver.evaluate(() => window.harness.leave());
    await expectEvent(call, 'peerLeft', { userId: 'leaver' });
    await expectEvent(room, 'userLeft', { userId: 'leaver' });
    await expectEvent(room, 'producerClosed', { producerId: video });
  });
}

test('closing the page is told like leaving', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'call');
  const video = await publish(bob, 'camera');
  await expectPicture(ann, video);
  await bob.close();
  await expectEvent(ann, 'userLeft', { userId: 'bob' });
  await expectEvent(ann, 'producerClosed', { producerId: video });
});

test('a stopped screen share is told as a closed producer', async ({ joinAs, roomId }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const producerId = await publish(bob, 'screen');
  await expectPicture(ann, producerId);
  await bob.evaluate((payload) => {
    window.harness.emit('stopScreenShare', payload);
  }, { roomId, producerId });
  await expectEvent(ann, 'producerClosed', { producerId, userId: 'bob' });
});

test('a paused producer stops arriving everywhere, and comes back when resumed', async ({ joinAs, roomId }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const cleo = await joinAs('cleo', 'call');
  const producerId = await publish(ann, 'camera');
  const payload = { producerId, roomId, kind: 'video' };
  for (const watcher of [bob, cleo]) {
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(watcher, producerId);
  }

  await ann.evaluate((notice) => {
    window.harness.emit('pauseProducer', notice);
  }, payload);
  await expectEvent(bob, 'producerPaused', { producerId, userId: 'ann', kind: 'video' });
  for (const watcher of [bob, cleo]) {
    // oxlint-disable-next-line no-await-in-loop
    await expect.poll(() => framesInHalfASecond(watcher, producerId)).toBe(0);
  }

  await ann.evaluate((notice) => {
    window.harness.emit('resumeProducer', notice);
  }, payload);
  await expectEvent(bob, 'producerResumed', { producerId, userId: 'ann', kind: 'video' });
  for (const watcher of [bob, cleo]) {
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(watcher, producerId);
  }
});
