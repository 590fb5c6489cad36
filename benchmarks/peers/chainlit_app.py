"""What Chainlit's documentation shows for streaming from an OpenAI-compatible server. Runs in Chainlit's own environment."""

import os

import chainlit
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="mock")


@chainlit.on_message
async def answer(question: chainlit.Message) -> None:
    said = chainlit.Message(content="")
    asked = [{"role": "user", "content": question.content}]
    async for part in await client.chat.completions.create(model="mock", messages=asked, stream=True):
        if part.choices and (token := part.choices[0].delta.content):
            await said.stream_token(token)
    await said.update()
