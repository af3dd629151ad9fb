namespace Skiff.Tensors;

/// <summary>
/// Native memory that a thread keeps from call to call, so that kernels allocate nothing in steady state. What lies in it is
/// lost with the next request of the same thread.
/// </summary>
internal static unsafe class Scratch
{
    [ThreadStatic]
    private static NativeBuffer? s_shared;

    [ThreadStatic]
    private static NativeBuffer? s_own;

    /// <summary>Room that the thread starting a run hands to all parts, on a 64-byte border.</summary>
    public static float* Shared(long values) => Grown(ref s_shared, values);

    /// <summary>Room of the thread that executes a part, on a 64-byte border.</summary>
    public static float* Own(long values) => Grown(ref s_own, values);

    private static float* Grown(ref NativeBuffer? buffer, long values)
    {
        long bytes = values * sizeof(float);
        if (buffer is null || buffer.Length < bytes)
            buffer = new NativeBuffer(bytes, clear: false);
        return (float*)buffer.Start;
    }
}
