namespace Skiff.Models;

/// <summary>How a template is read and rendered. The defaults are Jinja's own; <see cref="Chat"/> is what chat templates expect.</summary>
public sealed record JinjaOptions
{
    /// <summary>Drop the first newline after a block tag.</summary>
    public bool TrimBlocks { get; init; }

    /// <summary>Drop spaces and tabs between the start of a line and a block tag.</summary>
    public bool LstripBlocks { get; init; }

    /// <summary>Keep the newline that ends the template; Jinja drops one by default, evaluation prompts keep it.</summary>
    public bool KeepTrailingNewline { get; init; }

    /// <summary>Refuse the use of an undefined value instead of printing nothing, as evaluation prompts do.</summary>
    public bool StrictUndefined { get; init; }

    /// <summary>
    /// The Hugging Face chat environment: <c>tojson</c> is plain <c>json.dumps</c> without HTML escapes, and
    /// <c>raise_exception</c> and <c>strftime_now</c> exist.
    /// </summary>
    public bool ChatMode { get; init; }

    /// <summary>How many evaluation steps a rendering may take before it is refused.</summary>
    public int MaxSteps { get; init; } = 5_000_000;

    /// <summary>The longest text a rendering may produce, in characters; all texts built on the way together may take 32 times this.</summary>
    public int MaxOutput { get; init; } = 4 << 20;

    /// <summary>The clock behind <c>strftime_now</c>; the local time when null.</summary>
    public Func<DateTimeOffset>? Now { get; init; }

    /// <summary>The options with which Hugging Face renders chat templates.</summary>
    public static JinjaOptions Chat { get; } = new() { TrimBlocks = true, LstripBlocks = true, ChatMode = true };
}
