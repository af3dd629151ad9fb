// T positions, G key-value heads, K head size
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Skiff.Tensors;

/// <summary>
/// Lengths of a cache's keys. Keys of small norm tend to get much attention (Devoto et al., arXiv 2406.11430), so they tell what to
/// keep without any query. Rotation leaves a norm as it is.
/// </summary>
internal static unsafe class KeyNorms
{
    /// <summary>The L2 norm of each key of a sequence. A norm is summed by itself: the same bits for any number of threads.</summary>
    /// <param name="tiles">The sequence's cache, in single precision.</param>
    /// <param name="norms">[G, T], overwritten; rows may be apart. The cache holds T positions or more.</param>
    /// <param name="team">Threads to share the tiles; the process's own when null.</param>
    /// <exception cref="ArgumentException">Other heads than the cache's, values of a row apart, or a cache of whole numbers.</exception>
    public static void Compute(KeyValueTiles tiles, MatrixView norms, ThreadTeam? team = null)
    {
        if (norms.Rows != tiles.Shape.Heads || norms.ColumnStride != 1 || tiles.Shape.IsScaled)
            throw new ArgumentException($"{tiles.Shape} to [{norms.Rows}, {norms.Columns}], or values of a row apart", nameof(norms));
        Plan plan = new() { Tiles = tiles, Norms = norms };
        (team ?? ThreadTeam.Default).Run(KeyValueTiles.TilesOf(norms.Columns), &Tile, &plan);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(void* state, int tile)
    {
        Plan* plan = (Plan*)state;
        int start = tile * KeyValueTiles.Length, count = Math.Min(KeyValueTiles.Length, plan->Norms.Columns - start);
        for (int head = 0; head < plan->Norms.Rows; head++)
        {
            float* keys = (float*)plan->Tiles[tile].Key(head), norms = plan->Norms.Data + head * plan->Norms.RowStride + start;
            for (int lane = 0; lane < count; lane += Vector<float>.Count)
            {
                // Lanes behind the last position hold anything and are not stored.
                Vector<float> sum = Vector<float>.Zero;
                for (int i = 0; i < plan->Tiles.Shape.HeadDim; i++)
                {
                    Vector<float> key = Vector.Load(keys + i * KeyValueTiles.Length + lane);
                    sum = Vector.MultiplyAddEstimate(key, key, sum);
                }

                VectorFunctions.Store(Vector.SquareRoot(sum), norms + lane, count - lane);
            }
        }
    }

    private struct Plan
    {
        public KeyValueTiles Tiles;
        public MatrixView Norms;
    }
}
