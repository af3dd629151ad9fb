using System.Text.Encodings.Web;
using System.Text.Json;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Writes the three files of a Hugging Face tokenizer.</summary>
internal static class HuggingFaceWriter
{
    // The vocabularies are full of characters that need no escape.
    private static readonly JsonWriterOptions s_options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the files; each appears whole or not at all.</summary>
    public static void Save(Tokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        TokenizerSpec spec = tokenizer.Spec;
        Write(Path.Combine(folder, "tokenizer.json"), json => WriteTokenizer(spec, json));
        Write(Path.Combine(folder, HuggingFaceReader.ConfigFile), json => WriteConfig(spec, json));
        Write(Path.Combine(folder, "special_tokens_map.json"), json =>
        {
            json.WriteStartObject();
            WriteRoles(spec, json);
            json.WriteEndObject();
        });
    }

    /// <summary>Writes <c>tokenizer.json</c>.</summary>
    public static void WriteTokenizer(TokenizerSpec spec, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in spec.AddedTokens)
            token.Write(json, withId: true);
        json.WriteEndArray();
        Part("normalizer", spec.Normalizer is Normalizer normalizer ? normalizer.Write : null);
        Part("pre_tokenizer", spec.PreTokenizer is PreTokenizer cut ? cut.Write : null);
        Part("post_processor", spec.PostProcessor is PostProcessor post ? post.Write : null);
        Part("decoder", spec.Decoder is TokenDecoder decoder ? decoder.Write : null);
        json.WriteStartObject("model");
        spec.Model.Write(json);
        json.WriteEndObject();
        json.WriteEndObject();

        void Part(string name, Action<Utf8JsonWriter>? write)
        {
            json.WritePropertyName(name);
            if (write is null)
                json.WriteNullValue();
            else
                write(json);
        }
    }

    // What was read is written back; the roles and the template are this tokenizer's.
    private static void WriteConfig(TokenizerSpec spec, Utf8JsonWriter json)
    {
        HashSet<string> own = ["added_tokens_decoder", "bos_token", "eos_token", "pad_token", "unk_token", "chat_template"];
        json.WriteStartObject();
        if (spec.Config is JsonElement config)
        {
            try
            {
                foreach (JsonProperty property in config.EnumerateObject())
                {
                    if (!own.Contains(property.Name))
                        property.WriteTo(json);
                }
            }
            catch (InvalidOperationException e)
            {
                throw new InvalidInputException(spec.Source, HuggingFaceReader.ConfigFile, "holds half of a surrogate pair", e);
            }
        }
        else
        {
            json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
            json.WriteBoolean("clean_up_tokenization_spaces", false);
        }

        json.WriteStartObject("added_tokens_decoder");
        foreach (AddedToken token in spec.AddedTokens)
        {
            json.WritePropertyName(token.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            token.Write(json, withId: false);
        }

        json.WriteEndObject();
        WriteRoles(spec, json);
        if (spec.ChatTemplate is string template)
            json.WriteString("chat_template", template);
        json.WriteEndObject();
    }

    private static void WriteRoles(TokenizerSpec spec, Utf8JsonWriter json)
    {
        foreach ((string key, string? token) in new[]
        {
            ("bos_token", spec.BosToken), ("eos_token", spec.EosToken), ("pad_token", spec.PadToken), ("unk_token", spec.UnknownToken),
        })
        {
            if (token is not null)
                json.WriteString(key, token);
        }
    }

    private static void Write(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using Utf8JsonWriter json = new(stream, s_options);
        write(json);
    });
}
