import { useRef } from 'react';
import { Tile } from '../../components/Tile';
import { gridLayout, spotlightLayout, type Size } from './layout';
import type { StageModel, TileModel } from './tiles';
import { useElementSize } from './use-element-size';
import { useViewHeight } from './use-view-height';

const GAP_PX = 10;

/** A grid of people, or shared screens with the people in a strip. */
export function Stage({ model }: { model: StageModel }) {
  const element = useRef<HTMLDivElement>(null);
  const area = useElementSize(element);
  return (
    <div ref={element} className="min-h-0 flex-1 overflow-hidden">
      {area.width > 0 &&
        (model.screens.length > 0 ? (
          <Spotlight model={model} area={area} />
        ) : (
          <Grid tiles={model.people} area={area} />
        ))}
    </div>
  );
}

function Grid({ tiles, area }: { tiles: readonly TileModel[]; area: Size }) {
  const { columns, tile } = gridLayout(tiles.length, area, GAP_PX);
  // As wide as its columns, so that an incomplete last row is centred below them.
  const width = columns * tile.width + (columns - 1) * GAP_PX;
  return (
    <div className="flex h-full items-center justify-center" data-testid="grid">
      <div className="flex flex-wrap content-center justify-center" style={{ width, gap: GAP_PX }}>
        {tiles.map((model) => (
          <StageTile key={model.key} model={model} size={tile} />
        ))}
      </div>
    </div>
  );
}

function Spotlight({ model, area }: { model: StageModel; area: Size }) {
  const { strip, main, tile } = spotlightLayout(area, GAP_PX);
  const screens = gridLayout(model.screens.length, main, GAP_PX);
  const isSide = strip === 'side';
  return (
    <div className={`flex h-full ${isSide ? 'flex-row' : 'flex-col'}`} style={{ gap: GAP_PX }} data-testid="spotlight">
      <div className="flex flex-wrap content-center justify-center" style={{ ...main, gap: GAP_PX }}>
        {model.screens.map((screen) => (
          <StageTile key={screen.key} model={screen} size={model.screens.length === 1 ? main : screens.tile} />
        ))}
      </div>
      <div
        className={`flex ${isSide ? 'flex-col overflow-y-auto' : 'flex-row overflow-x-auto'}`}
        style={{ gap: GAP_PX }}
        role="group"
        aria-label="People"
      >
        {model.people.map((person) => (
          <StageTile key={person.key} model={person} size={tile} />
        ))}
      </div>
    </div>
  );
}

function StageTile({ model, size }: { model: TileModel; size: Size }) {
  const { key: _key, producerId, ...rest } = model;
  useViewHeight(producerId, rest.video, size.height);
  return <Tile {...rest} {...size} />;
}
