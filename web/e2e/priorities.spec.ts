import { events, expect, expectPicture, test, type Page } from './fixtures/test';

/** Room for the largest layer of one of two, beside the smallest of the other. */
const LIMIT_BPS = 800_000;

test('who is more important is seen larger when not everything fits', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const cat = await joinAs('cat', 'room by direction', { isManual: true });
  const cameras = [
    await ann.evaluate(() => window.harness.publishRich()),
    await bob.evaluate(() => window.harness.publishRich()),
  ] as const;
  await cat.evaluate((bps) => window.harness.limitReceiving(bps), LIMIT_BPS);
  for (const camera of cameras) {
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(cat, camera);
  }
  for (const [first, second] of [cameras, [cameras[1], cameras[0]]] as const) {
    // oxlint-disable-next-line no-await-in-loop
    await prioritise(cat, first, 255);
    // oxlint-disable-next-line no-await-in-loop
    await prioritise(cat, second, 1);
    // oxlint-disable-next-line no-await-in-loop
    await expect
      .poll(async () => (await layer(cat, first)) - (await layer(cat, second)), 'layers between the two')
      .toBeGreaterThan(0);
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(cat, first);
    // oxlint-disable-next-line no-await-in-loop
    await expectPicture(cat, second);
  }
});

async function prioritise(page: Page, producerId: string, priority: number): Promise<void> {
  await page.evaluate(([id, value]) => window.harness.prioritise(id, value), [producerId, priority] as const);
}

/** The spatial layer that flows, as it is told; -1 for none. */
async function layer(page: Page, producerId: string): Promise<number> {
  const id = await page.evaluate((one) => window.harness.consumerId(one), producerId);
  const told = (await events(page, 'layersChanged')) as { consumerId: string; spatialLayer: number | null }[];
  return told.findLast(({ consumerId }) => consumerId === id)?.spatialLayer ?? -1;
}
