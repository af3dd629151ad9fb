namespace Skiff.Models;

/// <summary>A value that holds others; its depth is kept, so that walks over it need no stack of unknown size.</summary>
internal interface IJinjaContainer
{
    int Depth { get; }

    static int DepthOf(object? value) => value is IJinjaContainer container ? container.Depth : 0;
}
