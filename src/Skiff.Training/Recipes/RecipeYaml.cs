using System.Globalization;
using System.Text;
using Skiff.Tensors;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Skiff.Training;

/// <summary>
/// Reads YAML into a tree: one document of mappings, lists and texts. What lets a small file grow or hide things is refused:
/// anchors and aliases, tags, repeated keys, deep nesting.
/// </summary>
internal sealed class RecipeYaml
{
    /// <summary>The largest recipe, in bytes.</summary>
    public const int MostBytes = 1 << 20;

    /// <summary>What messages say instead of a line where a value was set from outside.</summary>
    public const string Set = "--set";

    private const int MostDepth = 16;
    private const int LongestKey = 200;

    private readonly string _source;
    private readonly string? _place;
    private readonly Parser _parser;
    private readonly List<string> _path = [];

    private RecipeYaml(string text, string source, string? key)
    {
        _source = source;
        _place = key is null ? null : Set;
        if (key is not null)
            _path.Add(key);
        _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
    }

    /// <summary>The text of a recipe file.</summary>
    /// <exception cref="InvalidInputException">It cannot be read, is too large or no UTF-8.</exception>
    public static string ReadText(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            byte[] bytes = new byte[MostBytes + 1];
            int count = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return Decode(bytes.AsSpan(0, count), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidInputException(path, "file", e is FileNotFoundException or DirectoryNotFoundException ? "not found" : e.Message, e);
        }
    }

    /// <summary>The text that a recipe's bytes are.</summary>
    /// <exception cref="InvalidInputException">They are too many or no UTF-8.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string source)
    {
        if (bytes.Length > MostBytes)
            throw new InvalidInputException(source, "file", "is over 1 MiB; no recipe is");
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidInputException(source, "file", $"is no UTF-8 text at byte {e.Index}", e);
        }
    }

    /// <summary>The tree of a text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="source">The file, for messages.</param>
    /// <param name="key">The dotted key of a value that is set from outside; null for a file.</param>
    /// <exception cref="InvalidInputException">It is no YAML, or YAML of a kind that recipes have no use for.</exception>
    public static RecipeNode Parse(string text, string source, string? key = null)
    {
        if (text.Length > MostBytes)
            throw new InvalidInputException(source, key ?? "file", "is over 1 MiB; no recipe is");
        RecipeYaml yaml = new(text, source, key);
        yaml.Next<StreamStart>();
        if (!yaml.Next<DocumentStart>())
            return new RecipeNode(source, yaml._place ?? "line 1") { Text = "" };
        yaml.Move();
        RecipeNode root = yaml.Node(yaml.Place(yaml.Current));
        yaml.Next<DocumentEnd>();
        if (!yaml.Next<StreamEnd>())
            throw yaml.Refuse(yaml.Current, "a second document begins here: a recipe is one");
        return root;
    }

    private ParsingEvent Current => _parser.Current!;

    private string Place(ParsingEvent at) => _place ?? string.Create(CultureInfo.InvariantCulture, $"line {at.Start.Line}");

    private bool Next<T>()
    {
        Move();
        return Current is T;
    }

    private void Move()
    {
        try
        {
            _parser.MoveNext();
        }
        catch (YamlException e)
        {
            throw NoYaml(_place ?? string.Create(CultureInfo.InvariantCulture, $"line {e.Start.Line}"), e);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // Escapes that stand for no character surface as the library's own mistakes.
            throw NoYaml(_parser.Current is { } last ? Place(last) : _place ?? "line 1", e);
        }
    }

    private InvalidInputException NoYaml(string place, Exception e) => new(_source, _place is null ? "yaml" : _path[0], $"{place}: not valid YAML: {e.Message}", e);

    private InvalidInputException Refuse(ParsingEvent at, string problem) => new RecipeNode(_source, Place(at)).Refuse(string.Join('.', _path), problem);

    private RecipeNode Node(string place)
    {
        ParsingEvent at = Current;
        if (at is AnchorAlias || at is NodeEvent { Anchor.IsEmpty: false })
            throw Refuse(at, "anchors and aliases are not read: write the value out, and a text that begins with & or * in quotes");
        if (at is NodeEvent { Tag.IsEmpty: false } tagged)
            throw Refuse(at, tagged.Tag.Value.EndsWith("function", StringComparison.Ordinal) ? "asks for Python, which is not run here: say it as a template" : $"the tag {tagged.Tag} is not read: leave it away");
        if (_path.Count > MostDepth)
            throw Refuse(at, $"lies over {MostDepth} levels deep");
        switch (at)
        {
            case Scalar scalar:
                CheckText(scalar);
                return new RecipeNode(_source, place) { Text = scalar.Value, Quoted = scalar.Style != ScalarStyle.Plain };
            case SequenceStart:
                RecipeNode list = RecipeNode.Empty(_source, place, list: true);
                while (!Next<SequenceEnd>())
                    list.Items!.Add(Below(list.Items.Count.ToString(CultureInfo.InvariantCulture), Place(Current)));
                return list;
            default:
                RecipeNode mapping = RecipeNode.Empty(_source, place, list: false);
                while (!Next<MappingEnd>())
                    AddKey(mapping);
                return mapping;
        }
    }

    private void AddKey(RecipeNode mapping)
    {
        ParsingEvent at = Current;
        if (at is not Scalar { Anchor.IsEmpty: true, Tag.IsEmpty: true, Value: { Length: > 0 and <= LongestKey } key } scalar)
            throw Refuse(at, $"a key must be a text of 1 to {LongestKey} characters without anchor or tag");
        CheckText(scalar);
        if (mapping.Keys!.ContainsKey(key))
            throw Refuse(at, $"'{key}' stands here twice");
        Move();
        mapping.Keys.Add(key, Below(key, Place(at)));
    }

    private RecipeNode Below(string key, string place)
    {
        _path.Add(key);
        RecipeNode node = Node(place);
        _path.RemoveAt(_path.Count - 1);
        return node;
    }

    private void CheckText(Scalar scalar)
    {
        ReadOnlySpan<char> rest = scalar.Value;
        while (rest.Length > 0)
        {
            if (Rune.DecodeFromUtf16(rest, out Rune rune, out int used) != System.Buffers.OperationStatus.Done || rune.Value == 0)
                throw Refuse(scalar, "holds what is no character");
            rest = rest[used..];
        }
    }
}
