internal import ArgumentParser

/// The job a command is about.
struct JobArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("Id of the job.", valueName: "job"))
  var jobID: String
}
