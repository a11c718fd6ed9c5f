import { openWebCamera } from './fixtures/web-camera';
import { expect, expectPicture, test } from './fixtures/test';

test('a camera sends the layers that somebody looks at, and no others', async ({ browser, server, roomId, joinAs }) => {
  const camera = await openWebCamera({ browser, url: server.url, roomId, joinAs });
  const { subscriber, producerId } = camera;
  await expectPicture(subscriber, producerId);

  await subscriber.evaluate((id) => window.harness.preferLayers(id, 0), producerId);
  await expect.poll(() => camera.activeLayers(), 'only the lowest is sent').toEqual([true, false, false]);
  await expectPicture(subscriber, producerId);

  const small = (await subscriber.evaluate((id) => window.harness.received(id), producerId)).frameWidth;
  await subscriber.evaluate((id) => window.harness.preferLayers(id, 2), producerId);
  await expect.poll(async () => (await camera.activeLayers())[2], 'the top layer is sent').toBe(true);
  const width = async () => (await subscriber.evaluate((id) => window.harness.received(id), producerId)).frameWidth;
  await expect.poll(width, 'the top layer arrives').toBe(small * 4);

  await subscriber.evaluate(() => {
    window.harness.disconnect();
  });
  await expect.poll(() => camera.activeLayers(), 'nobody looks').toEqual([false, false, false]);
  await camera.page.context().close();
});
