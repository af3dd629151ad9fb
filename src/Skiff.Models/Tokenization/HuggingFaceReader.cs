using System.Globalization;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads <c>tokenizer.json</c> with <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>.</summary>
internal static class HuggingFaceReader
{
    /// <summary>Name of the file with the settings around a tokenizer.</summary>
    public const string ConfigFile = "tokenizer_config.json";

    /// <summary>
    /// Reads the form. <c>truncation</c> and <c>padding</c> are not part of it: over-long text is the caller's to refuse.
    /// </summary>
    public static TokenizerSpec Read(JsonField root, JsonField? config, JsonField? map = null, string? template = null)
    {
        List<AddedToken> added = [];
        if (root.TryGet("added_tokens", out JsonField list))
            added.AddRange(list.Items().Select(item => AddedToken.Read(item, item.Get("id").Int())));
        HashSet<string> special = [.. added.Where(t => t.Special).Select(t => t.Content)];
        TokenModel model = TokenModelReader.Read(root.Get("model"), special);
        TokenizerSpec spec = new()
        {
            Source = root.Source,
            Model = model,
            Normalizer = root.TryGet("normalizer", out JsonField node) ? Normalizer.Read(node) : null,
            PreTokenizer = root.TryGet("pre_tokenizer", out node) ? PreTokenizer.Read(node) : null,
            PostProcessor = root.TryGet("post_processor", out node) ? PostProcessor.Read(node) : null,
            Decoder = root.TryGet("decoder", out node) ? TokenDecoder.Read(node) : null,
        };
        return Complete(spec, added, config, map, template);
    }

    /// <summary>Adds what the settings files say of added and special tokens and checks it all.</summary>
    public static TokenizerSpec Complete(TokenizerSpec spec, List<AddedToken> added, JsonField? config, JsonField? map, string? template)
    {
        if (config is JsonField settings && settings.TryGet("added_tokens_decoder", out JsonField table))
        {
            HashSet<int> known = [.. added.Select(t => t.Id)];
            foreach (JsonField entry in table.Properties())
            {
                int id = int.TryParse(entry.Path[(entry.Path.LastIndexOf('.') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                    ? value
                    : throw entry.Refuse("is not named by an id");
                if (known.Add(id))
                    added.Add(AddedToken.Read(entry, id));
            }
        }

        IReadOnlyList<AddedToken> tokens = Check(added, spec.Model.Vocabulary, spec.Source);
        HashSet<string> special = [.. tokens.Where(t => t.Special).Select(t => t.Content)];
        return spec with
        {
            AddedTokens = tokens,
            BosToken = Named("bos_token") ?? spec.BosToken ?? (config is null ? Conventional("<s>", "<|begin_of_text|>", "[CLS]") : null),
            EosToken = Named("eos_token") ?? spec.EosToken ?? (config is null ? Conventional("</s>", "<|endoftext|>", "<|end_of_text|>", "[SEP]") : null),
            PadToken = Named("pad_token") ?? spec.PadToken ?? (config is null ? Conventional("<pad>", "<|pad|>", "<|padding|>", "[PAD]") : null),
            UnknownToken = Named("unk_token") ?? spec.UnknownToken,
            ChatTemplate = template ?? Template(config) ?? spec.ChatTemplate,
            Config = config?.Element ?? spec.Config,
        };

        // A file alone does not say which of its tokens begins or ends a text; these names do.
        string? Conventional(params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                if (special.Contains(name))
                    return name;
            }

            return null;
        }

        // A string, or an object with the string as its content.
        string? Named(string key)
        {
            foreach (JsonField? file in new[] { config, map })
            {
                if (file is JsonField known && known.TryGet(key, out JsonField value))
                    return value.Element.ValueKind == JsonValueKind.Object ? value.Get("content").Text() : value.Text();
            }

            return null;
        }
    }

    // A list of templates by name is an older form; "default" is the one for chat.
    private static string? Template(JsonField? config)
    {
        if (config is not JsonField settings || !settings.TryGet("chat_template", out JsonField template))
            return null;
        if (template.Element.ValueKind != JsonValueKind.Array)
            return template.Text();
        foreach (JsonField entry in template.Items())
        {
            if (entry.Text("name") == "default")
                return entry.Get("template").Text();
        }

        return null;
    }

    private static List<AddedToken> Check(List<AddedToken> added, Vocabulary vocabulary, string source)
    {
        long limit = (2L * (vocabulary.Count + added.Count)) + Vocabulary.AllowedHoles;
        HashSet<int> ids = [];
        HashSet<string> contents = new(StringComparer.Ordinal);
        foreach (AddedToken token in added)
        {
            int own = vocabulary.IdOf(token.Content);
            string? problem = own >= 0 && own != token.Id ? $"but {own} in the vocabulary"
                : token.Id < 0 || token.Id >= limit ? $"out of range for {vocabulary.Count + added.Count} tokens"
                : !ids.Add(token.Id) ? "which another added token has"
                : !contents.Add(token.Content) ? "and another one before"
                : null;
            if (problem is not null)
                throw new InvalidInputException(source, "added_tokens", $"'{token.Content}' has id {token.Id}, {problem}");
        }

        return [.. added.OrderBy(t => t.Id)];
    }
}
