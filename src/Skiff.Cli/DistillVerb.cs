using System.CommandLine;
using Skiff.Models;

namespace Skiff.Cli;

/// <summary><c>skiff distill</c>: a student learns what a teacher foretells.</summary>
internal static class DistillVerb
{
    public static Verb Create()
    {
        Argument<string> teacher = new("TEACHER") { Description = "The model to learn from: a folder, or a .gguf or llama2.c .bin file." };
        Argument<string> student = new("STUDENT") { Description = "The model that learns, with the same tokenizer: one that 'skiff prune' made of the teacher, or any other." };
        Argument<string> target = new("OUT") { Description = "The model folder to write. The run that makes it lies in OUT-run, and is gone on with where it was interrupted." };
        Option<string[]> data = new("--data") { Description = "Texts to learn on: files, folders or patterns; may be given several times.", HelpName = "FILES", Required = true };
        Option<string?> loss = Flags.Text("--loss", "NAME", "forward_kl, reverse_kl, jensen_shannon, mean_square or cosine [default: forward_kl].");
        Option<double?> temperature = Flags.Real("--temperature", "Divides the logits of both [default: 1].");
        Option<int?> top = Flags.Whole("--top-k", "Compare over the teacher's likeliest tokens alone, so many [default: all].");
        Option<double?> label = Flags.Real("--label-weight", "Weight of the text's own loss beside the teacher's [default: 0].");
        Option<string?> cache = Flags.Text("--teacher-cache", "FILE", "With --top-k: keep what the teacher foretells there; another run over the same data and seed, with another loss or rate, needs no pass of the teacher.");
        Option<string?> states = Flags.Text("--states", "LIST", "Hidden states that are to point where the teacher's do: 'embedding', and TEACHER:STUDENT for what leaves a block of each, numbered from 0: embedding,5:1.");
        Option<string?> round = Flags.Text("--round-to", "TYPE", "The student is going to be quantized to this type of 'skiff quantize', such as q4_0: it learns with its weights rounded so. TEACHER may then be STUDENT as well.");
        Option<long?> correct = TrainVerb.Long("--correct-teacher", "TOKENS", "First train the teacher itself on the texts, so many tokens at a fifth of the rate: for texts unlike those it knows. It lies in OUT-teacher.");
        Option<bool> along = new("--correct-along") { Description = "The same while the student learns already: the teacher learns the texts beside it at a fifth of the rate." };
        Option<long?> steps = TrainVerb.Long("--steps", "N", "Optimizer steps [default: 500].");
        Option<int?> context = Flags.Whole("--context", "Tokens in a sequence [default: 512, or the models' own where that is less].");
        Option<int?> batch = Flags.Whole("--batch", "Sequences in a step [default: 8].");
        Option<double?> rate = Flags.Real("--learning-rate", "The highest learning rate [default: 3e-4].");
        Option<int?> seed = Flags.Whole("--seed", "Decides the order of the data [default: 0].");
        Option<string[]> set = RunFlags.Set();
        Option<bool> json = Flags.Json("Print each line of metrics.jsonl as it is written.");
        Verb verb = new("distill", "Teach a small model what a large one foretells.")
        {
            Examples =
            [
                "skiff distill my-model half half-taught --data books/ --steps 1000",
                "skiff distill my-model my-model my-model-4bit --data books/ --round-to q4_0",
                "skiff distill my-model half half-taught --data new-texts.jsonl --correct-teacher 2M --loss forward_kl",
            ],
        };
        verb.Arguments.Add(teacher);
        verb.Arguments.Add(student);
        verb.Arguments.Add(target);
        foreach (Option option in new Option[] { data, loss, temperature, top, label, cache, states, round, correct, along, steps, context, batch, rate, seed, set, json })
            verb.Options.Add(option);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(along) && result.GetValue(correct) is not null)
                result.AddError("--correct-teacher and --correct-along exclude each other: the teacher learns first, or meanwhile");
        });
        return verb.Computes((parse, stop) =>
        {
            string from = parse.GetValue(teacher)!, to = Path.TrimEndingDirectorySeparator(parse.GetValue(target)!);
            RunFlags.RefuseTaken(to);
            double peak = parse.GetValue(rate) ?? 3e-4;
            int longest = Math.Min(Model.OpenConfig(from).MaxPositionEmbeddings, Model.OpenConfig(parse.GetValue(student)!).MaxPositionEmbeddings);
            long length = parse.GetValue(context) ?? Math.Min(512, longest), sequences = parse.GetValue(batch) ?? 8;
            string[] common =
            [
                .. parse.GetValue(data)!.SelectMany((files, i) => RunFlags.Key($"data.{i}", $"{{files: {RunFlags.Quoted(files)}}}", quote: false)),
                .. RunFlags.Key("context_length", length), .. RunFlags.Key("batch_size", sequences), .. RunFlags.Key("seed", parse.GetValue(seed)),
                .. RunFlags.Key("schedule", "{form: cosine, floor: 0.1}", quote: false),
            ];
            if (parse.GetValue(correct) is { } tokens)
            {
                string corrected = to + "-teacher";
                if (!Directory.Exists(corrected))
                {
                    parse.InvocationConfiguration.Error.WriteLine($"skiff: the teacher learns the texts first: {corrected}");
                    RunFlags.Run(
                        [.. RunFlags.Key("output", corrected + "-run"), .. RunFlags.Key("init_from", from), .. common, .. RunFlags.Key("tokens", tokens), .. RunFlags.Key("optimizer.learning_rate", peak / 5)],
                        "skiff distill", corrected, parse, json, stop);
                }

                from = corrected;
            }

            RunFlags.Run(
                [
                    .. RunFlags.Key("output", to + "-run"), .. RunFlags.Key("init_from", parse.GetValue(student)), .. RunFlags.Key("distill.teacher", from), .. RunFlags.Key("distill.loss", parse.GetValue(loss)),
                    .. RunFlags.Key("distill.temperature", parse.GetValue(temperature)), .. RunFlags.Key("distill.top_k", parse.GetValue(top)), .. RunFlags.Key("distill.label_weight", parse.GetValue(label)), .. RunFlags.Key("distill.cache", parse.GetValue(cache)),
                    .. parse.GetValue(states)?.Split(',').SelectMany((pair, i) => RunFlags.Key($"distill.states.{i}", pair.Trim())) ?? [],
                    .. RunFlags.Key("distill.teacher_rate", parse.GetValue(along) ? 0.2 : null), .. RunFlags.Key("round_to", parse.GetValue(round)), .. common, .. RunFlags.Key("steps", parse.GetValue(steps) ?? 500), .. RunFlags.Key("optimizer.learning_rate", peak), .. parse.GetValue(set) ?? [],
                ],
                "skiff distill", to, parse, json, stop);
            parse.InvocationConfiguration.Error.WriteLine($"skiff: the student is in {to}");
            return Program.Success;
        }, loadsModel: false);
    }
}
