variable "name" {
  description = "The name of the stack"
  type        = string
  default     = "ticketbridge"

  validation {
    # The functions are named after it, and their names have at most 64 characters.
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,52}$", var.name))
    error_message = "A stack's name has 1 to 53 characters of A-Z, a-z, 0-9 and -, the first a letter."
  }
}

variable "release" {
  description = "The folder of the unpacked release, which has template.yaml and the packages"
  type        = string
}

variable "bucket" {
  description = "The bucket, in the region of the stack, to which template and packages are uploaded"
  type        = string
}

variable "prefix" {
  description = "The folder in the bucket, with a / at its end. It must change with each release, because a function is updated only if the name of its package changes"
  type        = string

  validation {
    condition     = endswith(var.prefix, "/")
    error_message = "The prefix must end with a /."
  }
}

variable "parameters" {
  description = "The template's parameters, such as MailFrom. The template says what each is for"
  type        = map(string)
}
