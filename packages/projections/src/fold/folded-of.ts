import type { FoldedProjection, Projection } from '@sluice/store/projection';

/** The projections of a list that are folded. */
export function foldedOf(projections: readonly Projection[]): readonly FoldedProjection[] {
  return projections.filter((projection) => projection.kind === 'folded');
}
