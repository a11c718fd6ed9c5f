import { expect, expectSound, reception, test, type Page } from './fixtures/test';

/** Packets to count, 50 a second. */
const PACKETS_COUNTED = 150;

test('who takes RED hears RED, and who does not hears the Opus in it', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction', { isRedundant: true });
  const bob = await joinAs('bob', 'room by direction');
  const cat = await joinAs('cat', 'room by direction', { isWithoutRed: true });
  const producerId = await ann.evaluate(() => window.harness.publishVoice());
  await ann.evaluate(() => {
    window.harness.speak(true);
  });
  expect(await codecs(bob, producerId)).toEqual(['audio/red', 'audio/opus']);
  expect(await codecs(cat, producerId)).toEqual(['audio/opus']);
  await expectSound(bob, producerId);
  await expectSound(cat, producerId);
  // Each packet of RED repeats the one before: that is what makes it large.
  const [redundant, plain] = await Promise.all([bytesPerPacket(bob, producerId), bytesPerPacket(cat, producerId)]);
  expect(redundant).toBeGreaterThan(1.7 * plain);
  expect(redundant).toBeLessThan(2.5 * plain);
});

test('Opus from who sends no RED is the same for those who would take it', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const producerId = await ann.evaluate(() => window.harness.publishVoice());
  await ann.evaluate(() => {
    window.harness.speak(true);
  });
  expect(await codecs(bob, producerId)).toEqual(['audio/opus']);
  await expectSound(bob, producerId);
});

function codecs(page: Page, producerId: string): Promise<string[]> {
  return page.evaluate((id) => window.harness.codecs(id), producerId);
}

async function bytesPerPacket(page: Page, producerId: string): Promise<number> {
  const first = await reception(page, producerId);
  let last = first;
  await expect
    .poll(async () => {
      last = await reception(page, producerId);
      return last.packetsReceived - first.packetsReceived;
    }, 'packets of a voice')
    .toBeGreaterThan(PACKETS_COUNTED);
  return (last.bytesReceived - first.bytesReceived) / (last.packetsReceived - first.packetsReceived);
}
